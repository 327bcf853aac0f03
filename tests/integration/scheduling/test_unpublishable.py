"""Mail that can't be published becomes a dead letter; while it can't, other mail goes on."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.delivery import Original
from email_consumer.core.mail_queue import Backlog, Mark
from email_consumer.core.metrics import Metrics
from email_consumer.core.unsent import Unsent
from email_consumer.ledgers.statements import RETIRE
from email_consumer.message.model import decode
from email_consumer.runtime.tasks import end
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.scheduling.misfires import Misfires
from email_consumer.scheduling.scheduler import Scheduler
from email_consumer.store.database import Database
from tests.integration.scheduling.test_turns import store
from tests.waiting import until

NOW = datetime.now(UTC).isoformat()


class Queue:
    """Takes all mail."""

    max_payload = 1_000_000

    def __init__(self) -> None:
        self.published: list[str] = []

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[int | Exception]:
        self.published += [decode(payload).uuid for payload, _ in messages]
        return [*range(1, len(messages) + 1)]

    async def mark(self) -> Mark:
        raise AssertionError

    async def backlog(self) -> Backlog:
        return Backlog(ack_floor=0, unsettled=1)


class Full:
    """Takes no dead letter."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    async def store(self, original: Original, *_: object) -> None:
        self.refused.append(original.reference)
        raise ConnectionError("no space left")


async def test_a_dead_letter_that_is_not_stored_keeps_no_mail_of_the_same_content_waiting(database: Database) -> None:
    await store(database, {"acme": 4}, scheduled_at=NOW)
    async with database.transaction() as connection:  # their uuids were used for somebody else meanwhile
        await connection.executemany(RETIRE, [{"id": 1}, {"id": 2}])
    queue, full = Queue(), Full()
    scheduler = Scheduler(
        DueMail(database),
        queue,
        Misfires(database, "send", 60.0),
        full,
        Unsent(Metrics()),
        dead_letter_writer=DeadLetterWriter(),
    )
    scheduling = asyncio.create_task(scheduler.run())
    try:
        await until(lambda: len(queue.published) == 2)
        await store(database, {"acme": 6}, scheduled_at=NOW)
        scheduler.wake()
        await until(lambda: sorted(queue.published) == [f"acme-{number}" for number in range(6)])
        assert full.refused == ["keeping:1"], "both are tried again later"
    finally:
        await end(scheduling)
    waiting = await database.fetch("SELECT id, status FROM email_requests WHERE published_at IS NULL")
    assert [*map(tuple, waiting)] == [(1, 0), (2, 0)]
