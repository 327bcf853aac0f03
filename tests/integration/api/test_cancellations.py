"""Cancelling a topic, and what the receipt says."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from email_consumer.api import cancellations, statements
from email_consumer.core.ledger import Claim, Origin
from email_consumer.core.mail_queue import Mark
from email_consumer.core.outcome import Duplicate, Failed, Sent, Stopped, StopReason
from email_consumer.pipeline.gate import covers
from tests.factories import ORIGIN, new_message, payload
from tests.integration.api.harness import ApiHarness, running
from tests.servers.nats import NatsServer

STOPPED = Stopped(StopReason.CANCELLED)


async def last_stored(harness: ApiHarness) -> Origin:
    """Where the stream's last mail comes from, as the intake tells it."""
    mark = await harness.queue.mark()
    return Origin("nats", f"messages:{mark.sequence}", mark.sequence, mark.before, stream=mark.stream or "")


def from_nats(uuid: str, topic_id: str = "t") -> bytes:
    return payload(uuid, email="n@example.com", topic_id=topic_id)


async def test_every_mail_is_cancelled_sent_or_in_flight(harness: ApiHarness) -> None:
    await harness.post(new_message(*(f"u{number}@example.com" for number in range(3000)), topic_id="t"))
    pulled = await harness.pull(30)
    for message in pulled[:10]:
        await harness.finish(message, Sent("ses"))
    for message in pulled[10:20]:
        await harness.finish(message, Failed("503"))  # given back: it is not sent yet
    for message in pulled[20:]:
        await harness.ledger.claim(message, ORIGIN)
    status, receipt = await harness.ask("DELETE", "/v1/topics/t")
    assert status == 200
    assert receipt.pop("cancelled_at").endswith("Z")
    assert receipt == {
        "topic_id": "t",
        "cancelled": 2980,
        "sent": 10,
        "in_flight": 10,
        "failed": 0,
        "final": False,
        "known": True,
    }
    assert await harness.rows() == [(1, 10), (2, 10), (4, 2980)]
    assert await harness.rows("DISTINCT error", "WHERE status = 4") == [("cancelled",)]
    for message in pulled[20:]:
        await harness.ledger.finish(message, Sent("ses"), ORIGIN)
    _, topic = await harness.ask("GET", "/v1/topics/t")
    assert topic["request_counts"] == {"Created": 0, "Processed": 0, "Sent": 20, "Failed": 0, "Stopped": 2980}
    assert (topic["cancellation"]["sent"], topic["cancellation"]["in_flight"]) == (20, 0)


async def test_a_claim_comes_before_the_cancellation_or_not_at_all(harness: ApiHarness) -> None:
    await harness.post(new_message(*(f"u{number}@example.com" for number in range(500)), topic_id="t"))
    pulled = await harness.pull(500)
    claiming = [asyncio.create_task(harness.ledger.claim(message, ORIGIN)) for message in pulled]
    cancelling = asyncio.create_task(harness.ask("DELETE", "/v1/topics/t"))
    claims = await asyncio.gather(*claiming)
    _, receipt = await cancelling
    claimed = sum(isinstance(claim, Claim) for claim in claims)
    assert receipt["in_flight"] == claimed
    assert receipt["cancelled"] == 500 - claimed
    assert all(isinstance(claim, Claim) or claim in (STOPPED, Duplicate()) for claim in claims)


async def test_mail_of_the_stream_counts_as_it_is_pulled_until_the_receipt_is_final(harness: ApiHarness) -> None:
    for number in range(3):
        await harness.client.jetstream().publish("messages.email", from_nats(f"n-{number}"))
    _, receipt = await harness.ask("DELETE", "/v1/topics/t")
    assert (receipt["cancelled"], receipt["final"], receipt["known"]) == (0, False, False)
    assert harness.cancelled["t"].sequence == 3
    for count, final in ((2, False), (1, True)):
        for message in await harness.pull(count):
            assert await harness.ledger.claim(message, ORIGIN) == STOPPED
            await harness.ledger.finish(message, STOPPED, ORIGIN)
        _, topic = await harness.ask("GET", "/v1/topics/t")
        assert topic["cancellation"]["final"] is final
    assert topic["cancellation"]["cancelled"] == 3


async def test_mail_of_another_subject_does_not_keep_a_receipt_from_being_final(harness: ApiHarness) -> None:
    await harness.client.jetstream().publish("messages.other", b"not ours")
    _, receipt = await harness.ask("DELETE", "/v1/topics/t")
    assert receipt["final"]


async def test_cancelling_again_covers_what_came_since_and_adds_up(harness: ApiHarness) -> None:
    await harness.post(new_message("a@example.com", "b@example.com", topic_id="t"), scheduled_at="2999-01-01T00:00:00Z")
    assert (await harness.ask("DELETE", "/v1/topics/t"))[1]["cancelled"] == 2
    assert (await harness.ask("DELETE", "/v1/topics/t"))[1]["cancelled"] == 2
    await harness.post(new_message("c@example.com", topic_id="t"), scheduled_at="2999-01-01T00:00:00Z")
    assert await harness.rows() == [(0, 1), (4, 2)]
    assert (await harness.ask("DELETE", "/v1/topics/t"))[1]["cancelled"] == 3
    assert +harness.metrics.unsent == {"cancelled": 3}


async def test_other_topics_and_mail_without_one_go_on(harness: ApiHarness) -> None:
    later = "2999-01-01T00:00:00Z"
    await harness.post(new_message(topic_id="t"), new_message(topic_id="T"), new_message(), scheduled_at=later)
    await harness.ask("DELETE", "/v1/topics/t")
    assert await harness.rows("topic_id, status", "ORDER BY id") == [("t", 4), ("T", 0), (None, 0)]


async def test_others_write_while_a_long_topic_is_cancelled(
    harness: ApiHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellations, "_GROUP", 10)
    addresses = [f"u{number}@example.com" for number in range(95)]
    await harness.post(new_message(*addresses, topic_id="t"), scheduled_at="2999-01-01T00:00:00Z")
    cancelling = asyncio.create_task(harness.ask("DELETE", "/v1/topics/t"))
    stopped = set()
    while not cancelling.done():
        async with harness.database.transaction() as connection:
            [row] = await connection.execute_fetchall("SELECT count(*) FROM email_requests WHERE status = 4")
        stopped.add(row[0])
    assert (await cancelling)[1]["cancelled"] == 95
    assert stopped >= {10, 50, 90}
    assert +harness.metrics.unsent == {"cancelled": 95}


async def test_a_cancellation_that_a_crash_interrupted_is_finished_at_the_next_start(
    tmp_path: Path, server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = "2999-01-01T00:00:00Z"
    async with running(tmp_path, server.url) as harness:
        await harness.post(new_message("a@example.com", "b@example.com", topic_id="새 소식"), scheduled_at=later)
        await harness.post(new_message("c@example.com", topic_id="other"), scheduled_at=later)
        with monkeypatch.context() as crash:
            crash.setattr(statements, "STOP_TOPIC", "the process ends here")
            assert (await harness.ask("DELETE", "/v1/topics/새 소식"))[0] == 503
        assert "새 소식" in harness.cancelled
        await harness.post(new_message("d@example.com", topic_id="새 소식"), scheduled_at=later)
    for _ in range(2):
        async with running(tmp_path, server.url) as harness:
            rows = await harness.rows("email, status", "ORDER BY id")
            assert rows == [("a@example.com", 4), ("b@example.com", 4), ("c@example.com", 0), ("d@example.com", 0)]
            assert await harness.database.fetch("SELECT * FROM facts WHERE name LIKE 'cancelling%'") == []


async def test_without_nats_nothing_is_cancelled_and_the_answer_says_so(
    harness: ApiHarness, server: NatsServer
) -> None:
    await harness.post(new_message(topic_id="t"), scheduled_at="2999-01-01T00:00:00Z")
    await server.kill()
    status, answer = await harness.ask("DELETE", "/v1/topics/t")
    assert (status, answer["error"]["code"]) == (503, "queue_unavailable")
    assert await harness.rows() == [(0, 1)]
    await server.restart()
    while (await harness.ask("DELETE", "/v1/topics/t"))[0] == 503:
        pass
    assert await harness.rows() == [(4, 1)]


async def test_a_cancellation_outlives_a_restart_but_not_its_stream(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url) as harness:
        for number in range(5):
            await harness.client.jetstream().publish("messages.email", from_nats(f"n-{number}"))
        await harness.ask("DELETE", "/v1/topics/t")
    async with running(tmp_path, server.url) as harness:
        assert covers(harness.cancelled["t"], await last_stored(harness))
        await harness.client.jetstream().delete_stream("messages")
    async with running(tmp_path, server.url) as harness:
        for number in range(3):
            await harness.client.jetstream().publish("messages.email", from_nats(f"m-{number}"))
        assert not covers(harness.cancelled["t"], await last_stored(harness))
        _, topic = await harness.ask("GET", "/v1/topics/t")
        assert topic["cancellation"]["final"], "its mail is gone with its stream"


async def test_a_cancellation_is_forgotten_after_a_season_if_no_mail_that_it_covers_can_come(
    tmp_path: Path, server: NatsServer
) -> None:
    async def next_start() -> dict[str, int]:
        async with running(tmp_path, server.url) as harness, harness.database.transaction() as connection:
            await connection.execute("UPDATE cancellations SET cancelled_at = cancelled_at - 91 * 86400")
            return {topic: mark.sequence for topic, mark in harness.cancelled.items()}

    async with running(tmp_path, server.url) as harness:
        await harness.client.jetstream().publish("messages.email", from_nats("n-1"))
        await harness.ask("DELETE", "/v1/topics/t")
    assert await next_start() == {"t": 1}
    assert await next_start() == {"t": 1}, "its mail still waits in the stream"
    async with running(tmp_path, server.url) as harness:
        assert [message.uuid for message in await harness.pull(1)] == ["n-1"]
        await harness.client.jetstream().publish("messages.email", from_nats("n-2", topic_id="u"))
        await harness.ask("DELETE", "/v1/topics/u")
    async with running(tmp_path, server.url) as harness:
        assert list(harness.cancelled) == ["u"], "one that is young, or whose mail is still to come, stays"


async def test_what_the_workers_know_of_cancellations_is_forgotten_by_the_same_rule(
    tmp_path: Path, server: NatsServer
) -> None:
    async with running(tmp_path, server.url) as harness:
        for number in range(2):
            await harness.client.jetstream().publish("messages.email", from_nats(f"n-{number}"))
        [first] = await harness.pull(1)
        assert first.uuid == "n-0"
        stream = (await last_stored(harness)).stream
    old, young = time.time() - 91 * 86_400, time.time() - 89 * 86_400
    async with running(tmp_path, server.url) as harness:
        assert harness.over(Mark(stream, 1, old))
        assert harness.over(Mark(None, 1, old))
        assert harness.over(Mark("gone", 2, old))
        assert not harness.over(Mark(stream, 2, old)), "its mail still waits in the stream"
        assert not harness.over(Mark(None, 2, old))
        assert not harness.over(Mark("gone", 1, young)), "SQS keeps mail as well"


@pytest.mark.parametrize("skew", [-120.0, 120.0])
async def test_the_order_decides_though_the_clocks_are_minutes_apart(
    harness: ApiHarness, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    nats_time = time.time
    monkeypatch.setattr(time, "time", lambda: nats_time() + skew)
    for number in range(280):
        await harness.client.jetstream().publish("messages.email", from_nats(f"n-{number}"))
    _, receipt = await harness.ask("DELETE", "/v1/topics/t")
    assert receipt["final"] is False
    before = await last_stored(harness)
    assert covers(harness.cancelled["t"], replace(before, sequence=1))
    assert covers(harness.cancelled["t"], before)
    await harness.client.jetstream().publish("messages.email", from_nats("n-280"))
    assert not covers(harness.cancelled["t"], await last_stored(harness))


async def test_what_the_version_before_noted_goes_on(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url) as harness:
        for number in range(5):
            await harness.client.jetstream().publish("messages.email", from_nats(f"n-{number}"))
        last = await last_stored(harness)
        noted = [
            ("this stream", 5, time.time()),
            ("another machine's clock", 5, time.time() - 50),
            ("a stream that was longer", 6, time.time()),
            ("a stream that was there earlier", 5, time.time() - 3600),
        ]
        async with harness.database.transaction() as connection:
            await connection.executemany(
                "INSERT INTO cancellations (topic_id, sequence, cancelled_at) VALUES (?, ?, ?)", noted
            )
    for _ in range(2):  # as long as it is remembered
        async with running(tmp_path, server.url) as harness:
            stopped = {topic for topic, mark in harness.cancelled.items() if covers(mark, last)}
            assert stopped == {"this stream", "another machine's clock"}
            assert not covers(harness.cancelled["a stream that was longer"], replace(last, stream=""))


async def test_what_no_mail_can_have_as_topic_is_no_topic(harness: ApiHarness) -> None:
    for topic in ("a%0D%0Ab", "%1B[2J", "t" * 257):
        status, answer = await harness.ask("DELETE", f"/v1/topics/{topic}")
        assert (status, answer["error"]["message"]) == (422, "topic_id: must be one line of at most 256 characters")
