"""What the queue calls settled, the tables show."""

import asyncio

import pytest

from email_consumer.core.mail_queue import Backlog, Mark, QueueUnavailableError
from email_consumer.core.outcome import Sent
from email_consumer.ledgers.jetstream import projected_queue
from email_consumer.ledgers.jetstream.projected_queue import ProjectedQueue
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend


class EmptyQueue:
    """All of it is settled, up to 7."""

    max_payload = 1

    async def publish(self, _: object) -> list[int | Exception]:
        raise AssertionError

    async def mark(self) -> Mark:
        return Mark("", 7, 0.0)

    async def backlog(self) -> Backlog:
        return Backlog(7, 0)


async def published() -> None:
    """Workers know everything."""


async def never_published() -> None:
    """They can't be reached."""
    await asyncio.Event().wait()


async def test_settled_is_what_is_in_the_tables(jetstream: JetStreamBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = ProjectedQueue(EmptyQueue(), jetstream.client, stream=STREAM, published=published)
    assert await queue.backlog() == Backlog(7, 0)
    async with jetstream.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
    assert await queue.backlog() == Backlog(0, 1)
    queue.follow()
    waiting = asyncio.create_task(queue.backlog())
    await jetstream.query("SELECT 1")  # brings them there
    assert await waiting == Backlog(7, 0)
    async with jetstream.open() as ledger:
        await ledger.claim(mail("u-2"), ORIGIN)
        await ledger.finish(mail("u-2"), Sent("ses-2"), ORIGIN)
    monkeypatch.setattr(projected_queue, "_PATIENCE", 0.1)
    queue.follow()
    assert await queue.backlog() == Backlog(0, 1)


async def test_nothing_is_known_while_workers_cannot_be_notified(
    jetstream: JetStreamBackend,
) -> None:
    queue = ProjectedQueue(EmptyQueue(), jetstream.client, stream=STREAM, published=never_published)
    with pytest.raises(QueueUnavailableError, match="can't be reached"):
        await queue.backlog()
