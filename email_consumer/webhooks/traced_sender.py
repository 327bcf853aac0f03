"""Webhooks with a span for each request, in the trace of the event's mail. Imported only where traces are wanted."""

from opentelemetry.trace import SpanKind, Status, StatusCode

from email_consumer.core.traceparent import TRACEPARENT
from email_consumer.observe.tracing import context_of, current_traceparent, tracer
from email_consumer.webhooks.endpoint import Endpoint
from email_consumer.webhooks.sender import Answer, WebhookSender


class TracedWebhookSender(WebhookSender):
    """The receiver gets our span's `traceparent`, so what it does with the event is a part of the same trace."""

    async def send(self, endpoint: Endpoint, event_id: str, body: str, traceparent: str | None = None) -> Answer:
        """As `WebhookSender.send`."""
        if traceparent is None:
            return await super().send(endpoint, event_id, body)
        with tracer().start_as_current_span(
            "POST webhook",
            context_of({TRACEPARENT: traceparent}),
            SpanKind.CLIENT,
            attributes={
                "http.request.method": "POST",
                "email.event_id": event_id,
                "email.webhook": endpoint.id,
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            answer = await super().send(endpoint, event_id, body, current_traceparent())
            if answer.error:
                span.set_status(Status(StatusCode.ERROR))
            return answer
