"""One message as JetStream delivers it."""

from collections.abc import Mapping

from nats.aio.client import Client
from nats.aio.msg import Msg


class JetStreamDelivery:
    """See `email_consumer.core.delivery.Delivery`."""

    __slots__ = ("_client", "_reply", "_tokens", "headers", "payload", "stream")

    source = "nats"

    def __init__(self, client: Client, message: Msg, stream: str) -> None:
        """`stream` is which stream of its name it comes from."""
        self._client = client
        self._reply = message.reply
        # $JS.ACK.<stream>.<consumer>.<received>.<stream sequence>.<consumer sequence>.<time>.<pending>, newer servers
        # put <domain>.<account> before the stream (ADR-15).
        tokens = message.reply.split(".")
        self._tokens = tokens[2:] if len(tokens) == 9 else tokens[4:]  # noqa: PLR2004
        self.payload = message.data
        self.headers: Mapping[str, str] = message.headers or {}
        self.stream = stream

    @property
    def reference(self) -> str:
        return f"{self._tokens[0]}:{self._tokens[3]}"

    @property
    def sequence(self) -> int:
        return int(self._tokens[3])

    @property
    def received(self) -> int:
        return int(self._tokens[2])

    @property
    def stored_at(self) -> float:
        return int(self._tokens[5]) / 1e9

    async def ack(self) -> None:
        await self._client.publish(self._reply, b"+ACK")

    async def nak(self, delay: float) -> None:
        await self._client.publish(self._reply, b'-NAK {"delay": %d}' % int(delay * 1e9))

    async def term(self) -> None:
        await self._client.publish(self._reply, b"+TERM")

    async def in_progress(self) -> None:
        await self._client.publish(self._reply, b"+WPI")
