"""Transactional mail goes before bulk mail that was there first, from wherever it comes, and keeps its lane on every way."""

import base64
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import nats
import pytest
from nats.js.api import ConsumerConfig, RetentionPolicy

from tests.acceptance.api.conftest import Api, serving
from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import JetStreamPublisher, as_map
from tests.factories import new_message
from tests.servers.program import run_program
from tests.servers.sqs import SqsServer, TestQueue
from tests.waiting import until

BULK = 2_000
"""Mails that wait: minutes' worth."""
RATE = 20
URGENT = [f"urgent-{number}" for number in range(5)]


@asynccontextmanager
async def backlog(harness: DaemonHarness, **variables: object) -> AsyncIterator[Api]:
    """A daemon that has begun on more bulk mail than it can send during the test."""
    async with serving(harness, SES_RATE_PER_SEC=RATE, **variables) as api:
        await harness.publisher.publish(as_map(f"bulk-{number}") for number in range(BULK))
        await harness.wait_sent(RATE)
        yield api


async def went_first(harness: DaemonHarness, uuids: Iterable[str]) -> None:
    """Until SES has these; most of the bulk mail must be waiting then."""
    expected = dict.fromkeys(uuids, 1)

    async def arrived() -> bool:
        sent = await harness.sent()
        return {uuid: sent[uuid] for uuid in expected if uuid in sent} == expected

    await until(arrived)
    assert sum(uuid.startswith("bulk") for uuid in await harness.sent()) < BULK / 2


async def lane_of(api: Api, uuid: str) -> str:
    status, mail = await api.ask("GET", f"/v1/messages/{uuid}")
    assert status == 200, mail
    return str(mail["lane"])


async def shown(api: Api, uuid: str, status: str) -> None:
    async def is_shown() -> bool:
        return bool((await api.ask("GET", f"/v1/messages/{uuid}"))[1].get("status") == status)

    await until(is_shown)


async def test_through_nats(harness: DaemonHarness) -> None:
    assert isinstance(harness.publisher, JetStreamPublisher)
    async with backlog(harness) as api:
        await harness.publisher.publish((as_map(uuid) for uuid in URGENT), transactional=True)
        await went_first(harness, URGENT)
        await shown(api, URGENT[0], "Sent")
        assert [await lane_of(api, uuid) for uuid in (URGENT[0], "bulk-0")] == ["transactional", "bulk"]


async def test_what_a_mail_says_of_its_lane_counts_more_than_its_subject(harness: DaemonHarness) -> None:
    assert isinstance(harness.publisher, JetStreamPublisher)
    async with serving(harness) as api:
        await harness.publisher.publish([as_map("a", lane="bulk")], transactional=True)
        await harness.publisher.publish([as_map("b", lane="transactional")])
        await harness.wait_sent(2)
        for uuid, lane in (("a", "bulk"), ("b", "transactional")):
            await shown(api, uuid, "Sent")
            assert await lane_of(api, uuid) == lane


@pytest.mark.parametrize("harness", ["sqs"], indirect=True)
async def test_through_sqs(harness: DaemonHarness, sqs_server: SqsServer) -> None:
    queue = await _transactional_queue(sqs_server)
    async with backlog(harness, SQS_TRANSACTIONAL_QUEUE_URL=queue.url) as api:
        await queue.send([base64.b64encode(as_map(uuid)).decode() for uuid in URGENT])
        await went_first(harness, URGENT)
        await shown(api, URGENT[0], "Sent")
        assert await lane_of(api, URGENT[0]) == "transactional"
        await queue.emptied()


@over_both_sources
async def test_through_the_api(harness: DaemonHarness, request: pytest.FixtureRequest) -> None:
    variables = {}
    if harness.variables.get("SOURCE") == "sqs":
        queue = await _transactional_queue(request.getfixturevalue("sqs_server"))
        variables = {"SQS_TRANSACTIONAL_QUEUE_URL": queue.url}
    async with serving(harness, SES_RATE_PER_SEC=RATE, **variables) as api:
        many = [f"u{number}@example.com" for number in range(BULK)]
        bulk = (await api.post(new_message(*many)))["ids"]
        await harness.wait_sent(RATE)
        of_all = await api.post(
            new_message("a@example.com"), new_message("b@example.com", lane="bulk"), lane="transactional"
        )
        of_one = await api.post(new_message("c@example.com", lane="transactional"))
        urgent = [of_all["ids"][0], *of_one["ids"]]
        for uuid in urgent:
            await shown(api, uuid, "Sent")
        sent = await harness.sent()
        assert len(sent.keys() & set(bulk)) < BULK / 2
        assert of_all["ids"][1] not in sent
        assert [await lane_of(api, uuid) for uuid in urgent] == ["transactional"] * 2
        assert [await lane_of(api, uuid) for uuid in (bulk[0], of_all["ids"][1])] == ["bulk"] * 2


async def test_scheduled_mail_keeps_its_lane(harness: DaemonHarness) -> None:
    assert isinstance(harness.publisher, JetStreamPublisher)
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    async with backlog(harness) as api:
        await harness.publisher.publish((as_map(uuid, scheduled_at=soon) for uuid in URGENT), transactional=True)
        await went_first(harness, URGENT)
        assert await lane_of(api, URGENT[0]) == "transactional"


async def test_a_retry_keeps_its_lane(harness: DaemonHarness) -> None:
    assert isinstance(harness.publisher, JetStreamPublisher)
    async with backlog(harness) as api:
        for uuid in URGENT:
            await harness.fault(times=2, match={"uuid": uuid}, kind="error", code="InternalFailure")
        await harness.publisher.publish((as_map(uuid) for uuid in URGENT), transactional=True)
        await went_first(harness, URGENT)
        await shown(api, URGENT[0], "Sent")
        assert (await api.ask("GET", f"/v1/messages/{URGENT[0]}"))[1]["attempts"] > 1


@pytest.mark.parametrize("lane", ["", "transactional"])
async def test_a_replay_keeps_its_lane(harness: DaemonHarness, lane: str) -> None:
    """Whether the mail itself names its lane or not."""
    assert isinstance(harness.publisher, JetStreamPublisher)
    fields = {"lane": lane} if lane else {}
    async with backlog(harness) as api:
        for uuid in URGENT:
            await harness.fault(times=1, match={"uuid": uuid}, kind="error", code="MessageRejected")
        await harness.publisher.publish((as_map(uuid, **fields) for uuid in URGENT), transactional=True)
        for uuid in URGENT:
            await shown(api, uuid, "Failed")
        command = await run_program(
            "dlq", "replay", "--all", directory=harness.directory, environment={"NATS_URL": harness.nats.url}, stdin=b""
        )
        assert command[0] == 0, command
        await went_first(harness, URGENT)
        await shown(api, URGENT[0], "Sent")
        assert await lane_of(api, URGENT[0]) == "transactional"


async def test_published_by_the_command(harness: DaemonHarness) -> None:
    async with backlog(harness) as api:
        recipients = [argument for number in range(5) for argument in ("--to", f"u{number}@example.com")]
        arguments = (*recipients, "--subject", "s", "--html", "-", "--lane", "transactional", "--write-uuids", "uuids")
        environment = {"NATS_URL": harness.nats.url}
        command = await run_program(
            "publish", *arguments, directory=harness.directory, environment=environment, stdin=b"<p>hi</p>"
        )
        assert command[0] == 0, command
        uuids = [line.split("\t")[0] for line in (harness.directory / "uuids").read_text().splitlines()]
        await went_first(harness, uuids)
        await shown(api, uuids[0], "Sent")
        assert await lane_of(api, uuids[0]) == "transactional"


async def test_a_cancelled_topic_stops_both_lanes(harness: DaemonHarness) -> None:
    assert isinstance(harness.publisher, JetStreamPublisher)
    async with serving(harness, SES_RATE_PER_SEC=5) as api:
        await harness.publisher.publish((as_map(f"urgent-{n}", topic_id="t") for n in range(50)), transactional=True)
        await harness.publisher.publish(as_map(f"bulk-{n}", topic_id="t") for n in range(50))
        await harness.wait_sent(5)
        status, _ = await api.ask("DELETE", "/v1/topics/t")
        assert status == 200
        await harness.emptied()
        _, topic = await api.ask("GET", "/v1/topics/t")
        assert topic["request_counts"]["Stopped"] == 100 - len(await harness.sent())
        assert topic["request_counts"]["Stopped"] > 50
        lanes = topic["lane_counts"]
        assert lanes["transactional"]["Sent"] > lanes["bulk"]["Sent"]
        assert [counts["Stopped"] + counts["Sent"] for counts in lanes.values()] == [50, 50]


async def publish_before_the_lane(harness: DaemonHarness) -> None:
    """Transactional mail in a stream that only has the consumer of bulk mail."""
    assert isinstance(harness.publisher, JetStreamPublisher)
    client = await nats.connect(harness.nats.url)
    await client.jetstream().add_stream(name="messages", subjects=["messages.*"], retention=RetentionPolicy.WORK_QUEUE)
    former = ConsumerConfig(durable_name="email-processor", filter_subject="messages.email")
    await client.jetstream().add_consumer("messages", former)
    await client.close()
    await harness.publisher.publish((as_map(uuid) for uuid in URGENT), transactional=True)


async def test_mail_from_before_the_lane_is_sent_only_once_it_is_adopted(harness: DaemonHarness) -> None:
    await publish_before_the_lane(harness)
    async with harness.daemon() as daemon:
        assert "5 messages lie on 'messages.transactional'" in (await daemon.wait_for("lanes.one"))["reason"]
        await harness.publisher.publish([as_map("bulk")])
        await harness.wait_sent(1)
        assert await harness.sent() == {"bulk": 1}
        environment = {"NATS_URL": harness.nats.url}
        answers = [
            await run_program("lanes", "adopt", directory=harness.directory, environment=environment, stdin=b"")
            for _ in range(2)
        ]
        assert [code for code, *_ in answers] == [0, 0]
        assert answers[0][1].startswith("5 mails on messages.transactional will be sent")
        assert answers[1][1].startswith("Nothing to adopt")
        assert await daemon.stop() == 0
    async with harness.daemon() as daemon:
        await harness.emptied()
        assert not daemon.count("lanes.one")
    assert await harness.sent() == dict.fromkeys(["bulk", *URGENT], 1)


async def test_who_takes_over_has_the_lane_that_was_adopted_while_it_waited(harness: DaemonHarness) -> None:
    await publish_before_the_lane(harness)
    async with harness.daemon() as first:
        second = harness.daemon(DB_PATH=harness.directory / "second.db")
        await second.launch()
        try:
            await second.wait_for("lease.waiting")
            assert second.count("lanes.one")
            environment = {"NATS_URL": harness.nats.url}
            code, *_ = await run_program(
                "lanes", "adopt", directory=harness.directory, environment=environment, stdin=b""
            )
            assert code == 0
            assert await first.stop() == 0
            await harness.wait_sent(len(URGENT))
            assert await second.stop() == 0
        finally:
            await second.kill()
    assert await harness.sent() == dict.fromkeys(URGENT, 1)


async def _transactional_queue(server: SqsServer) -> TestQueue:
    queue, _ = await server.create_queue_with_dead_letters("urgent")
    return queue
