"""A delivery that records the calls it gets."""

from collections.abc import Mapping


class FakeDelivery:
    """See `email_consumer.core.delivery.Delivery`."""

    def __init__(self, payload: bytes = b"", source: str = "nats", headers: Mapping[str, str] | None = None) -> None:
        self.payload = payload
        self.source = source
        self.headers = headers or {}
        self.reference = "messages:1"
        self.stream = ""
        self.sequence = 1
        self.received = 1
        self.stored_at = 0.0
        self.calls: list[str] = []

    async def ack(self) -> None:
        self.calls.append("ack")

    async def nak(self, delay: float) -> None:
        self.calls.append(f"nak {delay:g}")

    async def term(self) -> None:
        self.calls.append("term")

    async def in_progress(self) -> None:
        self.calls.append("in progress")
