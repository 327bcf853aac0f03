"""The reading journal of workers: what stays of a note after nats-server was killed."""

from email_consumer.ledgers.jetstream.reading_journal import BucketJournal
from email_consumer.ledgers.jetstream.streams import Names
from tests.integration.ledgers.backends import JetStreamBackend
from tests.waiting import until

NAMES = Names("messages")


async def test_a_deletion_outlives_the_counter_that_it_replaced(jetstream: JetStreamBackend) -> None:
    """If nats-server is killed just after a deletion has expired, it brings back what was deleted."""
    journal = BucketJournal(jetstream.client, "messages")
    context = jetstream.client.jetstream()
    lifetimes = dict[bytes | None, int]()

    async def both_were_seen() -> bool:  # nobody waits until a deletion is stored
        message = await context.get_last_msg(NAMES.readings_stream, NAMES.reading("key"))
        lifetimes[message.data or None] = int((message.headers or {})["Nats-TTL"])
        return len(lifetimes) == 2

    await journal.begin("key")
    assert not await both_were_seen()
    await journal.end("key")
    await until(both_were_seen)
    assert lifetimes[b"1"] < lifetimes[None]
