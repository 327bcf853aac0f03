"""What the server says of a pull consumer: on which stream it stands, what may be asked of it, why it gives nothing."""

from typing import Any

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from email_consumer.jetstream.api import ask
from email_consumer.sources.jetstream.pull_limits import PullLimits

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


async def consumer_in_use(client: Client, stream: str, consumer: str) -> bool:
    """Whether somebody asks it for mail at this moment, or has some in hand; False where it isn't there.

    Raises:
        nats.errors.Error: no answer.
    """
    try:
        found = await ask(client, f"CONSUMER.INFO.{stream}.{consumer}", patience=_PATIENCE)
    except NotFoundError:
        return False
    return bool(found["num_waiting"] or found["num_ack_pending"])


class Consumer:
    """As it was at the last `look`."""

    def __init__(self, client: Client, *, stream: str, consumer: str) -> None:
        self._client = client
        self._stream = stream
        self._consumer = consumer
        self._identity = StreamIdentity(client, stream)
        self._configured = PullLimits()
        self.stream_id = ""
        """See `StreamIdentity`."""
        self.limits = PullLimits()
        self.held = ""
        """Why it gives no mail although some may wait; empty where it does."""
        self.headers_only = False
        """It delivers mail without its payload."""
        self.full = ""
        """That it gives none before something is settled; empty where it does."""

    async def look(self) -> None:
        """Ask.

        Raises:
            nats.js.errors.NotFoundError: it is gone, perhaps with its stream.
            nats.errors.Error: no answer.
        """
        found = await ask(self._client, f"CONSUMER.INFO.{self._stream}.{self._consumer}", patience=_PATIENCE)
        self.stream_id = await self._identity.of(found)
        if self._configured != (configured := PullLimits.of(found["config"])):
            self.limits = self._configured = configured
        self.headers_only = bool(found["config"].get("headers_only"))
        self.held = self._pause(found)
        self.full = self._limit(found)

    def refused(self, answer: str) -> None:
        """A request was refused, in the server's own words: it may allow less than the consumer's configuration says."""
        self.limits = self.limits.learned(answer)

    def _pause(self, found: dict[str, Any]) -> str:
        if not found.get("paused"):
            return ""
        return f"the consumer {self._consumer!r} is paused until {found['config'].get('pause_until')}"

    def _limit(self, found: dict[str, Any]) -> str:
        unsettled, most = found["num_ack_pending"], found["config"].get("max_ack_pending", -1)
        if not found["num_pending"] or not 0 < most <= unsettled:
            return ""
        return (
            f"{unsettled} deliveries of the consumer {self._consumer!r} wait to be tried again or are in hand, as many as its "
            "max_ack_pending allows"
        )
