"""What cannot be read in the stream of scheduled mail becomes a dead letter; what workers write is read."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.ledger import Origin
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Duplicate, Scheduled
from email_consumer.core.unsent import Unsent
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.scheduling import ScheduledMail, publish_scheduled
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.message.model import encode
from email_consumer.store.database import open_database
from tests.factories import ORIGIN, FakeDelivery, mail
from tests.integration.ledgers.backends import STREAM, JetStreamBackend, query
from tests.integration.ledgers.test_scheduling import LATER, dead_letters, keep, passing

LATER_MAIL = encode(mail("u-1", **LATER))
ORIGIN_HEADER = {
    "source": "nats",
    "reference": "messages:1",
    "sequence": 1,
    "stored_at": 0.0,
    "received": 1,
    "replay_of": None,
}


def _header(**changed: object) -> dict[str, str]:
    return {"Email-Origin": orjson.dumps(ORIGIN_HEADER | changed).decode()}


NO_WORKERS = {
    "no message": (b"junk", {}),
    "huge": (bytes(900_000), {}),
    "a message that says nothing of where it comes from": (LATER_MAIL, {}),
    "a message of another version's headers": (LATER_MAIL, {"Email-Life": "1"}),
}
NOT_TO_BE_READ: dict[str, tuple[bytes, dict[str, str]]] = {
    "no message": (b"junk", _header()),
    "no time": (encode(mail("u-1")), _header()),
    "no JSON": (LATER_MAIL, {"Email-Origin": "junk"}),
    "a list": (LATER_MAIL, {"Email-Origin": "[]"}),
    "lists in lists": (LATER_MAIL, {"Email-Origin": "[" * 50_000}),
    "without a part": (LATER_MAIL, {"Email-Origin": '{"source": "nats"}'}),
    "with a part that isn't ours": (LATER_MAIL, _header(tenant="x")),
    "a life that is no number": (LATER_MAIL, _header() | {"Email-Life": "²"}),
    "a life before the first": (LATER_MAIL, _header() | {"Email-Life": "-1"}),
    "a life beyond the last": (LATER_MAIL, _header() | {"Email-Life": str(2**63)}),
} | {
    f"{name} {value!r}": (LATER_MAIL, _header(**{name: value}))
    for name, values in {
        "source": (5, None),
        "reference": ({}, 7),
        "sequence": ("x", -1, 2**63),
        "stored_at": ("x", None, 1e300, -1),
        "received": ([], "1"),
        "replay_of": (7, []),
    }.items()
    for value in values
}


@pytest.mark.parametrize(
    ("name", "received", "call"),
    [
        *((name, 1, "ack") for name in NO_WORKERS),
        *((name, 1, "nak 60") for name in NOT_TO_BE_READ),
        *((name, 61, "ack") for name in NOT_TO_BE_READ),
    ],
)
async def test_scheduled_mail_that_cannot_be_read(
    jetstream: JetStreamBackend, path: Path, name: str, received: int, call: str
) -> None:
    """What may be a newer worker's waits for an hour; then it is a dead letter like what can be nobody's."""
    payload, headers = (NO_WORKERS if (received, call) == (1, "ack") else NOT_TO_BE_READ)[name]
    letters = dead_letters(jetstream)
    async with open_database(path) as database:
        metrics = Metrics()
        scheduled = ScheduledMail(
            database,
            passing,
            letters,
            Unsent(metrics),
            dead_letter_writer=DeadLetterWriter(),
            kept=lambda: None,
            idempotency_ttl=1,
        )
        async with scheduled.running():
            delivery = FakeDelivery(payload, headers=headers, received=received)
            await scheduled.handle(delivery)
            assert delivery.calls == [call]
    assert query(path, "SELECT * FROM email_requests") == []
    if call == "ack":
        letter = await letters.get(1)
        assert (letter.kind, letter.payload) == ("undecodable", payload)
        assert letter.reason.startswith("it can't be stored until it is due: ")
        assert metrics.unsent["undecodable"] == 1


async def test_mail_that_became_a_dead_letter_on_its_way_into_the_keeping_is_kept_when_it_is_replayed(
    jetstream: JetStreamBackend, path: Path
) -> None:
    """Its uuid waits in the bucket for a mail that will never come."""
    later = mail("u-1", **LATER)
    async with jetstream.open() as ledger:
        assert await ledger.schedule(later, ORIGIN) == Scheduled()
        await jetstream.client.jetstream().purge_stream(Names(STREAM).scheduled)
        replayed = Origin("nats", "messages:9", 9, 5.0, replay_of="messages-dead:1:5.000000")
        assert await ledger.schedule(later, replayed) == Scheduled()
        assert await ledger.schedule(later, replace(replayed, reference="messages:10")) == Duplicate()
    await keep(jetstream, path)
    assert len(query(path, "SELECT * FROM email_requests WHERE status = 0")) == 1


async def test_what_a_worker_writes_is_read(jetstream: JetStreamBackend, path: Path) -> None:
    origin = Origin("sqs", "mail:7f", 0, 1.25, 3, "messages-dead:1:5.000000", "s")
    await publish_scheduled(Publisher(jetstream.client), STREAM, mail("u-1", **LATER), origin, life=7)
    await keep(jetstream, path)
    [row] = query(path, "SELECT source, replay_of, revision FROM email_requests")
    assert tuple(row) == ("sqs", "messages-dead:1:5.000000", 7)
