"""A mail's trace, from its publisher to SES, as a receiver of OpenTelemetry's protocol sees it."""

import base64
import subprocess
import sys
from itertools import pairwise

import nats

from tests.acceptance.api.conftest import serving
from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import SUBJECT, SqsPublisher, as_map
from tests.factories import new_message
from tests.servers.otlp import OtlpReceiver, ReceivedSpan
from tests.waiting import patience, until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
_TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
_STEPS = ["receive", "wait for turn", "claim", "SESv2/SendEmail", "record"]


async def publish(harness: DaemonHarness, *payloads: bytes) -> None:
    """As an instrumented service, within its span."""
    if isinstance(harness.publisher, SqsPublisher):
        bodies = [base64.b64encode(payload).decode() for payload in payloads]
        await harness.publisher.mail.send(bodies, traceparent=_TRACEPARENT)
        return
    client = await nats.connect(harness.nats.url)
    for payload in payloads:
        await client.jetstream().publish(SUBJECT, payload, headers={"Traceparent": _TRACEPARENT})
    await client.close()


async def received(receiver: OtlpReceiver, deliveries: int) -> list[tuple[ReceivedSpan, list[ReceivedSpan]]]:
    """So many deliveries' spans, each with those of its steps."""
    found: list[tuple[ReceivedSpan, list[ReceivedSpan]]] = []

    async def complete() -> bool:
        spans = await receiver.spans()
        found[:] = [
            (span, [step for step in spans if step.parent == span.id])
            for span in spans
            if span.name.startswith("process ")
        ]
        return len(found) >= deliveries

    await until(complete)
    return found


@over_both_sources
async def test_it_continues_the_publisher_s_trace_step_by_step(harness: DaemonHarness) -> None:
    receiver = OtlpReceiver()
    async with receiver, harness.daemon(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY=100):
        await publish(harness, as_map("traced"))
        await harness.wait_sent(1)
        [(process, steps)] = await received(receiver, 1)
    assert (process.trace, process.parent, process.kind) == (TRACE, SPAN, "SPAN_KIND_CONSUMER")
    assert process.attributes["messaging.system"] == ("aws_sqs" if "SOURCE" in harness.variables else "nats")
    assert process.attributes["messaging.operation.type"] == "process"
    assert process.attributes["email.uuid"] == "traced"
    assert process.attributes["email.outcome"] == "Sent"
    assert process.resource["service.name"] == "email-consumer"
    assert [step.name for step in steps] == _STEPS
    assert {step.trace for step in steps} == {TRACE}
    assert {step.status for step in steps} == {"STATUS_CODE_UNSET"}
    for earlier, later in pairwise(steps):
        assert process.start <= earlier.start <= earlier.end <= later.start <= later.end <= process.end
    [request] = [step for step in steps if step.kind == "SPAN_KIND_CLIENT"]
    [mail] = (await harness.sandbox.get("/messages"))["messages"]
    assert request.attributes["email.message_id"] == mail["message_id"]


async def test_mail_that_comes_over_http_belongs_to_the_request_s_trace(harness: DaemonHarness) -> None:
    receiver = OtlpReceiver()
    requests = {_TRACEPARENT: new_message("a@example.com", "b@example.com"), "malformed": new_message("c@example.com")}
    async with (
        receiver,
        serving(harness, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY=100) as api,
    ):
        for header, message in requests.items():
            status, _ = await api.ask("POST", "/v1/messages", {"messages": [message]}, headers={"traceparent": header})
            assert status == 200
        deliveries = await received(receiver, 3)
    traces = [(process.trace, process.parent) for process, _ in deliveries]
    assert traces.count((TRACE, SPAN)) == 2
    assert [parent for trace, parent in traces if trace != TRACE] == [""]


async def test_mail_that_came_over_http_continues_its_trace_after_a_crash(harness: DaemonHarness) -> None:
    async with (
        OtlpReceiver() as receiver,
        serving(harness, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY=100) as api,
    ):
        await api.ask("POST", "/v1/holds", {"key": "topic:waits"})
        body = {"messages": [new_message("a@example.com", topic_id="waits")]}
        status, _ = await api.ask("POST", "/v1/messages", body, headers={"traceparent": _TRACEPARENT})
        assert status == 200
        await api.daemon.kill()
        await api.daemon.start()
        await api.ask("DELETE", "/v1/holds/topic%3Awaits")
        [(process, _)] = await received(receiver, 1)
    assert (process.trace, process.parent) == (TRACE, SPAN)


async def test_failures_are_marked_without_words_of_the_mail_and_logs_name_the_trace(harness: DaemonHarness) -> None:
    await harness.fault(match={"uuid": "rejected"}, kind="error", code="MessageRejected", message="you@example.com!")
    async with OtlpReceiver() as receiver:
        async with harness.daemon(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_SERVICE_NAME="post") as daemon:
            await publish(harness, as_map("rejected"), as_map("mail"))
            await harness.wait_sent(1)
            await harness.emptied()
            await publish(harness, as_map("mail", email="other@example.com"))
            line = await daemon.wait_for("mail.conflict")
            assert await daemon.stop() == 0  # what is not exported yet is, within seconds
        deliveries = await received(receiver, 3)
        spans = await receiver.spans()
    outcomes = {process.attributes["email.outcome"]: (process, steps) for process, steps in deliveries}
    assert outcomes.keys() == {"Rejected", "Sent", "Conflict"}
    [request] = [step for step in outcomes["Rejected"][1] if step.kind == "SPAN_KIND_CLIENT"]
    assert (request.status, request.message) == ("STATUS_CODE_ERROR", "Rejected")
    conflict, steps = outcomes["Conflict"]
    assert line["trace_id"] == conflict.trace == TRACE
    assert line["span_id"] in {step.id for step in steps}
    assert {span.resource["service.name"] for span in spans} == {"post"}
    assert "example.com" not in str(spans)


async def test_a_receiver_that_is_down_holds_up_no_mail(harness: DaemonHarness) -> None:
    async with harness.daemon(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as daemon:
        await publish(harness, *(as_map(f"mail-{number}") for number in range(200)))
        await harness.wait_sent(200)
        await harness.emptied()
        async with patience():
            assert await daemon.stop() == 0
    assert set((await harness.sent()).values()) == {1}


def test_without_an_endpoint_nothing_of_it_is_imported() -> None:
    program = (
        "import sys, email_consumer.roles.process; print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    imported = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert imported == "[]\n"
