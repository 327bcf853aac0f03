"""One delivery of one message by a source (JetStream, SQS), as the pipeline sees it."""

from collections.abc import Awaitable, Iterator, Mapping
from typing import Protocol

from email_consumer.message.lane import Lane

REPLAY_OF = "Email-Replay-Of"
"""Header of a replayed message: names the dead letter and its time. Each replay reopens a Failed uuid once."""


class _Done(Awaitable[None]):
    def __await__(self) -> Iterator[None]:  # type: ignore[override]
        return iter(())


DONE: Awaitable[None] = _Done()
"""Returned by a delivery's methods where there is nothing left to wait for, so that nobody needs a timeout for it."""


class Original(Protocol):
    """A message as published, which can be stored as a dead letter."""

    @property
    def payload(self) -> bytes:
        """The raw message body, exactly as published."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers it was published with."""

    @property
    def source(self) -> str:
        """`nats` or `sqs`."""

    @property
    def reference(self) -> str:
        """Identifies the message within its source, such as `messages:4711`; the same for every redelivery."""

    @property
    def stream(self) -> str:
        """Identity of its stream, which changes if the stream is recreated; empty if the source has no order."""

    @property
    def sequence(self) -> int:
        """Its position in the stream; 0 if the source has no order."""

    @property
    def stored_at(self) -> float:
        """When the source stored it, in Unix seconds by the source's clock."""


class Delivery(Original, Protocol):
    """An unsettled message. Only the settlement and the dispatcher's heartbeat call its methods."""

    @property
    def received(self) -> int:
        """How often it has been delivered, including this time (at least 1)."""

    @property
    def lane(self) -> Lane:
        """The lane of the queue that it waited in. What the mail itself says comes before."""

    def ack(self) -> Awaitable[None]:
        """Done: the source may delete it."""

    def nak(self, delay: float) -> Awaitable[None]:
        """Redeliver it after `delay` seconds."""

    def term(self) -> Awaitable[None]:
        """Never redeliver it; its dead letter is stored."""

    def in_progress(self) -> Awaitable[None]:
        """Still being handled: the source restarts its redelivery timer."""
