"""What the server says of a pull consumer: on which stream it stands, what may be asked of it, why it gives nothing."""

from typing import Any

from nats.aio.client import Client

from email_consumer.intake.pull import PullLimits
from email_consumer.jetstream_api import ask

_PATIENCE = 2.0


class StreamIdentity:
    """Which stream of its name a consumer stands on: one that was deleted and made again counts from 1 again.

    It is the moment at which it was made, as the server writes it; nobody compares it with a clock.
    """

    def __init__(self, client: Client, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._consumer_created = ""
        self._created = ""

    async def of(self, consumer: dict[str, Any]) -> str:
        """`consumer` is what the server says of it. Consumers end with their stream, so it is seldom asked about that too.

        Raises:
            nats.errors.Error: no answer.
        """
        if consumer["created"] != self._consumer_created:
            stream = await ask(self._client, f"STREAM.INFO.{self._stream}", patience=_PATIENCE)
            self._created, self._consumer_created = stream["created"], consumer["created"]
        return self._created


class Consumer:
    """As it was at the last `look`."""

    def __init__(self, client: Client, *, stream: str, consumer: str) -> None:
        self._client = client
        self._stream = stream
        self._consumer = consumer
        self._identity = StreamIdentity(client, stream)
        self.stream_id = ""
        """See `StreamIdentity`."""
        self.limits = PullLimits()
        self.held = ""
        """Why it gives no mail although some may wait; empty where it does."""

    async def look(self) -> None:
        """Ask.

        Raises:
            nats.js.errors.NotFoundError: it is gone, perhaps with its stream.
            nats.errors.Error: no answer.
        """
        found = await ask(self._client, f"CONSUMER.INFO.{self._stream}.{self._consumer}", patience=_PATIENCE)
        self.stream_id = await self._identity.of(found)
        self.limits = PullLimits.of(found["config"])
        self.held = self._reason(found)

    def refused(self, answer: str) -> None:
        """A request was refused, in the server's own words."""
        self.limits = self.limits.learned(answer)

    def _reason(self, found: dict[str, Any]) -> str:
        if found.get("paused"):
            return f"the consumer {self._consumer!r} is paused until {found['config'].get('pause_until')}"
        return ""
