"""A mail's trace goes on in its events: from the publisher's span to SES, and into a webhook, across a crash."""

import asyncio
from pathlib import Path
from typing import Any

import nats
import orjson
from aiohttp import web

from email_consumer_client import Event, verify_webhook
from tests.acceptance.api.conftest import KEY, serving
from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.acceptance.test_traces import SPAN, TRACE, publish
from tests.integration.webhooks.harness import Received, receiver, well
from tests.servers.fleet import Fleet
from tests.servers.otlp import OtlpReceiver, ReceivedSpan
from tests.servers.ports import free_ports
from tests.waiting import until

_EVENTS = "messages-events"


async def found_span(traces: OtlpReceiver, name: str) -> ReceivedSpan:
    """The newest one with that name, once there is one."""
    found: list[ReceivedSpan] = []

    async def received() -> bool:
        found[:] = [span for span in await traces.spans() if span.name == name]
        return bool(found)

    await until(received)
    return found[-1]


async def published_event(url: str, kind: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and document of the first event of that type in the stream."""
    client = await nats.connect(url)
    subscription = await client.jetstream().subscribe(f"{_EVENTS}.{kind}", stream=_EVENTS, ordered_consumer=True)
    message = await subscription.next_msg(timeout=30)
    await client.close()
    return message.headers or {}, orjson.loads(message.data)


def verified(request: Received, secret: str) -> Event:
    return verify_webhook(secret, request.headers, request.body.encode())


async def test_from_the_publisher_s_span_into_a_webhook_across_a_kill(harness: DaemonHarness) -> None:
    release = asyncio.Event()

    async def never(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    variables = {
        "EVENTS_OUT": "nats,webhooks",
        "WEBHOOK_ALLOW_PRIVATE": "true",
        "OTEL_BSP_SCHEDULE_DELAY": 100,
    }
    async with (
        OtlpReceiver() as traces,
        receiver(never) as endpoint,
        serving(harness, OTEL_EXPORTER_OTLP_ENDPOINT=traces.url, **variables) as api,
    ):
        body = {"url": endpoint.url, "types": ["sent"]}
        _, webhook = await api.ask("POST", "/v1/webhooks", body, headers={"X-API-KEY": KEY})
        await publish(harness, as_map("traced"))
        await endpoint.until(1)  # recorded as not delivered yet: it never gets an answer
        process = await found_span(traces, "process nats")
        await api.daemon.kill()
        endpoint.answering = well
        await api.daemon.start()
        [_, request] = await endpoint.until(2)
        post = await found_span(traces, "POST webhook")
        headers, event = await published_event(harness.nats.url, "sent")
        await harness.publisher.publish([as_map("without")])
        [*_, other] = await endpoint.until(3)
        release.set()
    assert (process.trace, process.parent) == (TRACE, SPAN)
    assert request.headers["traceparent"] == f"00-{TRACE}-{post.id}-01"
    assert (post.trace, post.parent, post.kind) == (TRACE, process.id, "SPAN_KIND_CLIENT")
    assert post.attributes["email.event_id"] == event["id"]
    assert (verified(request, webhook["secret"]).uuid, verified(request, webhook["secret"]).trace_id) == (
        "traced",
        TRACE,
    )
    assert event["trace_id"] == TRACE
    assert headers["traceparent"] == f"00-{TRACE}-{process.id}-01"
    assert (verified(other, webhook["secret"]).uuid, verified(other, webhook["secret"]).trace_id) == ("without", None)
    assert "traceparent" not in other.headers


async def test_with_separate_roles(harness: DaemonHarness, tmp_path: Path) -> None:
    [port] = free_ports(1)
    async with OtlpReceiver() as traces:
        variables = harness.variables | {
            "EVENTS_OUT": "nats",
            "IN_DOUBT_GRACE": "10",
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        async with Fleet(tmp_path / "fleet", variables, port=port, workers=1):
            later = as_map("later", scheduled_at="2099-01-01T00:00:00Z")
            await publish(harness, as_map("traced"), later)
            headers, sent = await published_event(harness.nats.url, "sent")
            _, scheduled = await published_event(harness.nats.url, "scheduled")
    assert (sent["uuid"], sent["trace_id"]) == ("traced", TRACE)
    assert headers["traceparent"].split("-")[1] == TRACE
    assert (scheduled["uuid"], scheduled["trace_id"]) == ("later", TRACE)


async def test_without_a_receiver_of_traces_nothing_is_stored_of_them(harness: DaemonHarness) -> None:
    async with harness.daemon(EVENTS_OUT="nats"):
        await publish(harness, as_map("traced"))
        headers, event = await published_event(harness.nats.url, "sent")
    assert "trace_id" not in event
    assert "traceparent" not in headers
