"""The pipeline with a span for each delivery and each of its steps. Imported only where traces are wanted.

Attributes follow the semantic conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/). No span has
an address or a text of the mail.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span

from email_consumer.core.delivery import Delivery
from email_consumer.core.ledger import ClaimAnswer, Origin
from email_consumer.core.outcome import Interrupted, Outcome, SendResult, Sent
from email_consumer.core.traceparent import traceparent_of
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage
from email_consumer.observe.tracing import context_of, current_traceparent, tracer
from email_consumer.pipeline.pipeline import Decoded, Pipeline

_SYSTEMS = {"nats": "nats", "sqs": "aws_sqs"}


class TracedPipeline(Pipeline):
    """A delivery's span continues the trace that its headers name in `traceparent`; the steps' spans are its children."""

    async def handle(self, delivery: Delivery) -> None:
        """As `Pipeline.handle`."""
        attributes: dict[str, str | int] = {
            "messaging.system": _SYSTEMS[delivery.source],
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.message.id": delivery.reference,
            "messaging.message.body.size": len(delivery.payload),
            "email.deliveries": delivery.received,
        }
        with tracer().start_as_current_span(
            f"process {delivery.source}",
            context_of(delivery.headers),
            SpanKind.CONSUMER,
            attributes,
            record_exception=False,
        ):
            await super().handle(delivery)

    def _origin(self, delivery: Delivery) -> Origin:
        """With our span, which events out continue; without one where the publisher has no trace."""
        origin = super()._origin(delivery)
        if traceparent_of(delivery.headers):
            origin.traceparent = current_traceparent()
        return origin

    async def _read(self, delivery: Delivery) -> Decoded:
        with _step("receive"):
            return await super()._read(delivery)

    async def _take_turn(self, message: EmailMessage, origin: Origin) -> bool:
        with _step("wait for turn") as span:
            released = await super()._take_turn(message, origin)
            span.set_attribute("email.released", released)
            return released

    async def _claim(self, message: EmailMessage, origin: Origin) -> ClaimAnswer:
        with _step("claim") as span:
            answer = await super()._claim(message, origin)
            span.set_attribute("email.answer", type(answer).__name__)
            return answer

    async def _send(self, message: EmailMessage, deadline: float) -> SendResult | Interrupted:
        with _step("SESv2/SendEmail", SpanKind.CLIENT) as span:
            span.set_attributes({"rpc.system": "aws-api", "rpc.service": "SESv2", "rpc.method": "SendEmail"})
            result = await super()._send(message, deadline)
            if isinstance(result, Sent):
                span.set_attribute("email.message_id", result.message_id)
            else:
                span.set_status(Status(StatusCode.ERROR, type(result).__name__))
            return result

    async def _settle(
        self, delivery: Delivery, message: EmailMessage, outcome: Outcome, origin: Origin, attempt: int
    ) -> None:
        get_current_span().set_attributes(
            {
                "email.uuid": message.uuid,
                "email.lane": message.lane or Lane.BULK,
                "email.outcome": type(outcome).__name__,
                "email.attempt": attempt,
            }
        )
        with _step("record"):
            await super()._settle(delivery, message, outcome, origin, attempt)


@contextmanager
def _step(name: str, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    # An exception's text may have an address.
    with tracer().start_as_current_span(name, kind=kind, record_exception=False, set_status_on_exception=False) as span:
        yield span
