"""One message as JetStream delivers it."""

from collections.abc import Awaitable, Mapping

from nats.aio.client import Client
from nats.aio.msg import Msg

from email_consumer.core.delivery import DONE
from email_consumer.core.mail_queue import LANE
from email_consumer.jetstream.client import SteadyClient
from email_consumer.message.lane import Lane


class JetStreamDelivery:
    """See `email_consumer.core.delivery.Delivery`."""

    __slots__ = (
        "_client",
        "_reply",
        "_stream_name",
        "headers",
        "lane",
        "payload",
        "received",
        "sequence",
        "stored_at",
        "stream",
    )

    source = "nats"

    def __init__(self, client: Client, message: Msg, stream: str, lane: Lane = Lane.BULK) -> None:
        """`stream` is which stream of its name it comes from, `lane` that of its consumer."""
        self._client = client
        self._reply = message.reply
        # $JS.ACK.<stream>.<consumer>.<received>.<stream sequence>.<consumer sequence>.<time>.<pending>, newer servers
        # put <domain>.<account> before the stream (ADR-15).
        tokens = message.reply.split(".")
        self._stream_name, _, received, sequence, _, stored_at = tokens[2:8] if len(tokens) == 9 else tokens[4:10]  # noqa: PLR2004
        self.received = int(received)
        self.sequence = int(sequence)
        self.stored_at = int(stored_at) / 1e9
        self.payload = message.data
        self.headers: Mapping[str, str] = message.headers or {}
        if lane is Lane.TRANSACTIONAL:
            self.headers = {**self.headers, LANE: lane}  # it stays with the mail if that becomes a dead letter
        self.stream = stream
        self.lane = lane

    @property
    def reference(self) -> str:
        return f"{self._stream_name}:{self.sequence}"

    def ack(self) -> Awaitable[None]:
        return self._settle(b"+ACK")

    def nak(self, delay: float) -> Awaitable[None]:
        return self._settle(b'-NAK {"delay": %d}' % int(delay * 1e9))

    def term(self) -> Awaitable[None]:
        return self._settle(b"+TERM")

    def in_progress(self) -> Awaitable[None]:
        return self._settle(b"+WPI")

    def _settle(self, signal: bytes) -> Awaitable[None]:
        if isinstance(self._client, SteadyClient) and self._client.publish_at_once(self._reply, signal):
            return DONE
        return self._client.publish(self._reply, signal)
