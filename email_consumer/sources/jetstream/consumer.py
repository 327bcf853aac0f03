"""A pull consumer as the server describes it: its stream's identity, its limits, and why it delivers nothing."""

from typing import Any

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from email_consumer.jetstream.api import ask
from email_consumer.sources.jetstream.pull_limits import PullLimits

_PATIENCE = 2.0


class StreamIdentity:
    """Identifies the stream of a consumer, since a stream that was deleted and recreated counts from 1 again.

    The identity is the creation time as written by the server; it is never compared with a clock.
    """

    def __init__(self, client: Client, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._consumer_created = ""
        self._created = ""

    async def of(self, consumer: dict[str, Any]) -> str:
        """The identity for a consumer's info. A consumer is deleted with its stream, so the stream is rarely queried.

        Raises:
            nats.errors.Error: JetStream does not respond.
        """
        if consumer["created"] != self._consumer_created:
            stream = await ask(self._client, f"STREAM.INFO.{self._stream}", patience=_PATIENCE)
            self._created, self._consumer_created = stream["created"], consumer["created"]
        return self._created


async def consumer_in_use(client: Client, stream: str, consumer: str) -> bool:
    """Whether somebody is requesting mail from it or has unsettled deliveries; False if it does not exist.

    Raises:
        nats.errors.Error: JetStream does not respond.
    """
    try:
        found = await ask(client, f"CONSUMER.INFO.{stream}.{consumer}", patience=_PATIENCE)
    except NotFoundError:
        return False
    return bool(found["num_waiting"] or found["num_ack_pending"])


class Consumer:
    """The consumer as of the last `refresh`."""

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
        """Why it delivers no mail although some may be waiting; empty if it does."""
        self.headers_only = False
        """It delivers mail without its payload."""
        self.full = ""
        """Set while it delivers nothing until something is settled; empty otherwise."""

    async def refresh(self) -> None:
        """Read the consumer's info.

        Raises:
            nats.js.errors.NotFoundError: it does not exist, perhaps because its stream is gone.
            nats.errors.Error: JetStream does not respond.
        """
        found = await ask(self._client, f"CONSUMER.INFO.{self._stream}.{self._consumer}", patience=_PATIENCE)
        self.stream_id = await self._identity.of(found)
        if self._configured != (configured := PullLimits.of(found["config"])):
            self.limits = self._configured = configured
        self.headers_only = bool(found["config"].get("headers_only"))
        self.held = self._pause(found)
        self.full = self._limit(found)

    def refused(self, answer: str) -> None:
        """Learn from the text of a refusal: the server may allow less than the consumer's configuration says."""
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
            f"{unsettled} deliveries of the consumer {self._consumer!r} wait for a retry or are being handled, as many as its "
            "max_ack_pending allows"
        )
