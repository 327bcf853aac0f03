"""Sources side by side, and what the HTTP side does where there is no NATS."""

import json

import pytest

from tests.acceptance.api.conftest import mail, serving
from tests.acceptance.conftest import World, over_both_sources
from tests.acceptance.publisher import as_map
from tests.servers.sqs import SqsServer


async def test_mail_from_nats_and_sqs_at_once(world: World, sqs_server: SqsServer) -> None:
    queue = await sqs_server.create_queue("mail")  # without a redrive policy: its dead letters go to the stream
    body = {"email": "you@example.com", "subject": "s", "body": "b"}
    from_sqs = [json.dumps({"uuid": f"sqs-{number}", **body}) for number in range(200)]
    twice = json.dumps({"uuid": "nats-1", **body})
    variables = {"SOURCE": "nats,sqs", "SQS_QUEUE_URL": queue.url, "AWS_ENDPOINT_URL_SQS": sqs_server.url}
    async with world.daemon(**variables) as daemon:
        await world.publisher.publish(as_map(f"nats-{number}") for number in range(200))
        await world.wait_sent(200)
        await queue.send([*from_sqs, twice, "poison"])
        await world.wait_sent(400)
        await world.emptied()
        await queue.emptied()
        assert await daemon.stop() == 0
    assert await world.sent() == {f"{source}-{number}": 1 for source in ("nats", "sqs") for number in range(200)}
    [letter] = await world.publisher.dead_letters()
    assert (letter.payload, letter.kind) == (b"poison", "undecodable")


@over_both_sources
async def test_mail_of_the_api_goes_through_the_source(world: World) -> None:
    async with serving(world) as api:
        assert (await api.ask("GET", "/ready"))[0] == 200
        answer = await api.post(mail("a@example.com", "b@example.com", topic_id="t"))
        assert answer["success"] == 2
        await world.wait_sent(2)
        await world.emptied()
        _, topic = await api.ask("GET", "/v1/topics/t")
        assert topic["request_counts"]["Sent"] == 2
    assert await world.sent() == dict.fromkeys(answer["ids"], 1)


@over_both_sources
async def test_a_cancelled_topic_stops_what_is_queued(world: World) -> None:
    await world.fault(times=None, kind="delay", seconds=0.5)
    async with serving(world, SES_RATE_PER_SEC=10) as api:
        await world.publisher.publish(as_map(f"mail-{number}", topic_id="t") for number in range(200))
        await world.wait_sent(5)
        status, receipt = await api.ask("DELETE", "/v1/topics/t")
        assert status == 200
        await world.publisher.publish([as_map("later", topic_id="t")])
        await world.emptied()
        _, receipt = await api.ask("GET", "/v1/topics/t")
    sent = await world.sent()
    assert sent.pop("later") == 1
    assert 5 <= len(sent) < 200
    assert receipt["request_counts"]["Stopped"] == 200 - len(sent)


@pytest.mark.parametrize("world", ["sqs"], indirect=True)
async def test_without_nats_nothing_asks_for_it(world: World) -> None:
    async with serving(world) as api:
        assert (await api.ask("GET", "/v1/dead-letters"))[0] == 404
        _, health = await api.ask("GET", "/ready")
        assert "sqs" in str(health)
        assert "nats" not in str(health)
