"""One delivery of one message by a source (JetStream, SQS), as the pipeline sees it."""

from collections.abc import Mapping
from typing import Protocol

REPLAY_OF = "Email-Replay-Of"
"""Header of a replayed message: which dead letter, of which time. A Failed uuid is tried again, once per replay."""


class Original(Protocol):
    """A message as it came, of which a dead letter can be made."""

    @property
    def payload(self) -> bytes:
        """The raw message body, exactly as published."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers it was published with; empty if none."""

    @property
    def source(self) -> str:
        """`nats` or `sqs`."""

    @property
    def reference(self) -> str:
        """What names this message within its source for ever, such as `messages:4711`; the same on a redelivery."""

    @property
    def stream(self) -> str:
        """Which stream of its name it comes from; empty where the source has no order."""

    @property
    def sequence(self) -> int:
        """Its place in the stream; 0 where the source has no order."""

    @property
    def stored_at(self) -> float:
        """When the source stored it, in Unix seconds by the source's clock."""


class Delivery(Original, Protocol):
    """A message in hand. Only `settlement.py` and the heartbeat call its methods."""

    @property
    def received(self) -> int:
        """How often it was delivered so far, this time included (so at least 1)."""

    async def ack(self) -> None:
        """Done: the source may forget it."""

    async def nak(self, delay: float) -> None:
        """Deliver it again after `delay` seconds."""

    async def term(self) -> None:
        """Never deliver it again; its dead letter is stored."""

    async def in_progress(self) -> None:
        """Still in hand: the source's redelivery timer starts anew."""
