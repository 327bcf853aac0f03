"""Sources side by side, and what the HTTP side does where there is no NATS."""

import json

import pytest

from tests.acceptance.api.conftest import serving
from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import as_map
from tests.factories import new_message
from tests.servers.sqs import SqsServer


async def test_mail_from_nats_and_sqs_at_once(harness: DaemonHarness, sqs_server: SqsServer) -> None:
    queue = await sqs_server.create_queue("mail")  # without a redrive policy: its dead letters go to the stream
    body = {"email": "you@example.com", "subject": "s", "body": "b"}
    from_sqs = [json.dumps({"uuid": f"sqs-{number}", **body}) for number in range(200)]
    twice = json.dumps({"uuid": "nats-1", **body})
    variables = {"SOURCE": "nats,sqs", "SQS_QUEUE_URL": queue.url, "AWS_ENDPOINT_URL_SQS": sqs_server.url}
    async with harness.daemon(**variables) as daemon:
        await harness.publisher.publish(as_map(f"nats-{number}") for number in range(200))
        await harness.wait_sent(200)
        await queue.send([*from_sqs, twice, "poison"])
        await harness.wait_sent(400)
        await harness.emptied()
        await queue.emptied()
        assert await daemon.stop() == 0
    assert await harness.sent() == {f"{source}-{number}": 1 for source in ("nats", "sqs") for number in range(200)}
    [letter] = await harness.publisher.dead_letters()
    assert (letter.payload, letter.kind) == (b"poison", "undecodable")


async def test_what_waits_in_sqs_is_unseen_also_where_nats_is_the_first_source(
    harness: DaemonHarness, sqs_server: SqsServer
) -> None:
    queue = await sqs_server.create_queue("mail")
    body = {"email": "you@example.com", "subject": "s", "body": "b", "topic_id": "t"}
    await queue.send([json.dumps({"uuid": f"sqs-{number}", **body}) for number in range(100)])
    variables = {"SOURCE": "nats,sqs", "SQS_QUEUE_URL": queue.url, "AWS_ENDPOINT_URL_SQS": sqs_server.url}
    async with serving(harness, SES_RATE_PER_SEC=1, **variables) as api:
        await harness.wait_sent(1)
        _, topic = await api.ask("GET", "/v1/topics/t")
        status, absent = await api.ask("GET", "/v1/messages/nobody-knows-it")
    assert topic["progress"]["unseen"] > 50
    assert not topic["progress"]["finished"]
    assert (status, absent["error"]["waiting"] > 50) == (404, True)


@over_both_sources
async def test_a_topic_is_not_finished_while_its_mail_waits_for_its_turn(harness: DaemonHarness) -> None:
    async with serving(harness, SES_RATE_PER_SEC=0.1) as api:
        await harness.publisher.publish(as_map(f"mail-{number}", topic_id="t") for number in range(10))
        await harness.wait_sent(1)
        _, topic = await api.ask("GET", "/v1/topics/t")
    assert topic["progress"]["unseen"] >= 8
    assert not topic["progress"]["finished"]


@over_both_sources
async def test_mail_of_the_api_goes_through_the_source(harness: DaemonHarness) -> None:
    async with serving(harness) as api:
        assert (await api.ask("GET", "/ready"))[0] == 200
        answer = await api.post(new_message("a@example.com", "b@example.com", topic_id="t"))
        assert answer["success"] == 2
        await harness.wait_sent(2)
        await harness.emptied()
        _, topic = await api.ask("GET", "/v1/topics/t")
        assert topic["request_counts"]["Sent"] == 2
    assert await harness.sent() == dict.fromkeys(answer["ids"], 1)


@over_both_sources
async def test_a_cancelled_topic_stops_what_is_queued(harness: DaemonHarness) -> None:
    await harness.fault(times=None, kind="delay", seconds=0.5)
    async with serving(harness, SES_RATE_PER_SEC=10) as api:
        await harness.publisher.publish(as_map(f"mail-{number}", topic_id="t") for number in range(200))
        await harness.wait_sent(5)
        status, receipt = await api.ask("DELETE", "/v1/topics/t")
        assert status == 200
        await harness.publisher.publish([as_map("later", topic_id="t")])
        await harness.emptied()
        _, receipt = await api.ask("GET", "/v1/topics/t")
    sent = await harness.sent()
    assert sent.pop("later") == 1
    assert 5 <= len(sent) < 200
    assert receipt["request_counts"]["Stopped"] == 200 - len(sent)


@pytest.mark.parametrize("harness", ["sqs"], indirect=True)
async def test_without_nats_nothing_asks_for_it(harness: DaemonHarness) -> None:
    async with serving(harness) as api:
        assert (await api.ask("GET", "/v1/dead-letters"))[0] == 404
        _, health = await api.ask("GET", "/ready")
        assert "sqs" in str(health)
        assert "nats" not in str(health)
