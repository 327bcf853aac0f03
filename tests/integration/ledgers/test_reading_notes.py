"""The reading journal of workers: what stays of a note after nats-server was killed."""

from email_consumer.ledgers.jetstream.reading_journal import BucketJournal
from email_consumer.ledgers.jetstream.streams import Names
from tests.integration.ledgers.backends import JetStreamBackend

NAMES = Names("messages")


async def test_a_deletion_outlives_the_counter_that_it_replaced(jetstream: JetStreamBackend) -> None:
    """If nats-server is killed just after a deletion has expired, it brings back what was deleted."""
    journal = BucketJournal(jetstream.client, "messages")
    context = jetstream.client.jetstream()
    lifetimes = []
    for step in (journal.begin, journal.end):
        await step("key")
        await jetstream.client.flush()
        message = await context.get_last_msg(NAMES.readings_stream, NAMES.reading("key"))
        lifetimes.append(int((message.headers or {})["Nats-TTL"]))
    counter, deletion = lifetimes
    assert counter < deletion
