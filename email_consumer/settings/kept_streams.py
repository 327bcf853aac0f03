"""The streams that keep what mail said: an erasure has to look through them."""

from email_consumer.outbox.stream import events_stream
from email_consumer.settings import Settings
from email_consumer.sources.jetstream.dead_letter import dead_letter_stream


def kept_streams(settings: Settings) -> list[str]:
    """Their names; they need not exist."""
    if "nats" not in {*settings.source, *settings.events_out}:
        return []
    return [dead_letter_stream(settings.stream), events_stream(settings.stream)]
