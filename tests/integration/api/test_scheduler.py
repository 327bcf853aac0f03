"""When stored mail is published to the stream."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from nats.js.api import Header

from email_consumer.core.mail_queue import ORIGIN
from email_consumer.core.outcome import Scheduled, Sent
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.scheduling.publish_window import PublishWindow
from email_consumer.store.status import Status
from tests.factories import ORIGIN as FROM_NATS
from tests.factories import new_message
from tests.integration.api.harness import ApiHarness, running
from tests.servers.nats import NatsServer
from tests.waiting import until


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def published(harness: ApiHarness, count: int) -> None:
    async def all_noted() -> bool:
        return await harness.rows("count(*)", "WHERE published_at IS NOT NULL") == [(count,)]

    await until(all_noted)


async def test_a_thousand_mails_of_one_second_fire_then_in_a_few_groups(harness: ApiHarness) -> None:
    emails = (f"u{number}@example.com" for number in range(1000))
    assert (await harness.post(new_message(*emails), scheduled_at="2999-01-01T00:00:00Z"))["scheduled"]
    assert await harness.in_stream() == 0
    async with harness.database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET scheduled_at = ?", (time.time() + 0.5,))
    harness.scheduler.wake()
    await published(harness, 1000)
    assert await harness.in_stream() == 1000
    [(too_early, groups)] = await harness.rows("sum(published_at < scheduled_at), count(DISTINCT published_at)", "")
    assert (too_early, groups) == (0, 4)


async def test_a_schedule_survives_a_restart(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url) as harness:
        await harness.post(new_message(), scheduled_at=in_seconds(0.6))
    async with running(tmp_path, server.url) as harness:
        (message,) = await harness.pull(1)
        assert message.email == "a@example.com"


async def test_naive_times_are_of_the_time_zone(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, zone="Asia/Seoul") as harness:
        await harness.post(new_message(), scheduled_at="2999-01-01 09:00:00")
        expected = datetime(2999, 1, 1, tzinfo=UTC).timestamp()
        assert await harness.rows("scheduled_at", "") == [(expected,)]


async def test_a_time_in_the_past_means_now(harness: ApiHarness) -> None:
    answer = await harness.post(new_message(), scheduled_at="2020-01-01T00:00:00Z")
    assert not answer["scheduled"]
    await harness.pull(1)


async def test_a_time_of_a_message_wins_over_that_of_the_request(harness: ApiHarness) -> None:
    await harness.post(
        new_message("later@example.com", scheduledAt="2999-01-01T00:00:00Z"),
        new_message(),
        scheduled_at="2020-01-01T00:00:00Z",
    )
    (message,) = await harness.pull(1)
    assert message.email == "a@example.com"
    assert await harness.rows("email", "WHERE scheduled_at IS NOT NULL") == [("later@example.com",)]


async def test_published_mail_names_itself_and_where_it_came_from(harness: ApiHarness) -> None:
    answer = await harness.post(new_message())
    await published(harness, 1)
    stored = await harness.client.jetstream().get_msg("messages", seq=1)
    headers = stored.headers or {}
    assert (headers[Header.MSG_ID.value], headers[ORIGIN]) == (f"api:{answer['ids'][0]}", "api")


@pytest.mark.parametrize("parts", [{"body": "b"}, {"text": "t"}, {"body": ""}])
async def test_scheduled_mail_of_the_stream_comes_back_when_it_is_due(
    harness: ApiHarness, parts: dict[str, str]
) -> None:
    fields = {"uuid": "ü\n1", "email": "a@example.com", "subject": "s", **parts, "headers": {"X-A": "1"}}
    message = EmailMessage.model_validate({**fields, "scheduled_at": in_seconds(0.3)})
    assert await harness.ledger.schedule(message, FROM_NATS) == Scheduled()
    harness.scheduler.wake()
    (back,) = await harness.pull(1)
    assert back == EmailMessage.model_validate(fields)
    await published(harness, 1)


async def test_only_a_window_of_mail_lies_in_the_stream(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, window=lambda: PublishWindow(10, 2**20)) as harness:
        await harness.post(new_message(*(f"u{number}@example.com" for number in range(35))))
        await published(harness, 10)
        assert await harness.in_stream() == 10
        seen: set[str] = set()
        while len(seen) < 35:
            for message in await harness.pull(1):
                await harness.finish(message, Sent("ses"))
                seen.add(message.uuid)
            assert await harness.in_stream() <= 10
        assert await harness.rows() == [(2, 35)]


async def test_bulk_mail_that_is_due_does_not_hold_up_transactional_mail(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, window=lambda: PublishWindow(10, 2**20)) as harness:
        await harness.post(new_message(*(f"u{number}@example.com" for number in range(35))))
        await published(harness, 10)
        urgent = await harness.post(new_message("a@example.com", "b@example.com"), lane="transactional")
        assert {message.uuid for message in await harness.pull(2, Lane.TRANSACTIONAL)} == set(urgent["ids"])
        await published(harness, 12)


async def test_bytes_bound_the_window_too(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, window=lambda: PublishWindow(1000, 100_000)) as harness:
        await harness.post(new_message(*(f"u{number}@example.com" for number in range(5)), content="x" * 40_000))
        await published(harness, 2)
        for message in await harness.pull(2):
            await harness.finish(message, Sent("ses"))
        await published(harness, 4)


async def test_an_outage_of_nats_delays_and_loses_nothing(harness: ApiHarness, server: NatsServer) -> None:
    await server.kill()
    answer = await harness.post(new_message("a@example.com", "b@example.com"))
    assert answer["success"] == 2
    await server.restart()
    assert {message.uuid for message in await harness.pull(2)} == set(answer["ids"])


async def test_a_crash_before_publishing_was_noted_makes_no_second_message(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, schedule=False) as harness:
        await harness.post(new_message("a@example.com", "b@example.com"))
        due = await DueMail(harness.database).take(Lane.BULK, 10)
        answers = await harness.queue.publish([(message.payload, message.headers) for message in due.messages])
        assert answers == [1, 2]
    async with running(tmp_path, server.url) as harness:
        await published(harness, 2)
        assert await harness.in_stream() == 2


async def test_what_the_stream_lost_is_published_again(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url) as harness:
        answer = await harness.post(new_message("a@example.com", "b@example.com"))
        await published(harness, 2)
        (message,) = await harness.pull(1)
        await harness.finish(message, Sent("ses-1"))
        # As a lost disk would: the new stream doesn't know the names of the old messages either.
        await harness.client.jetstream().delete_stream("messages")
    async with running(tmp_path, server.url) as harness:
        (message,) = await harness.pull(1)
        assert message.uuid == answer["ids"][1]
        assert await harness.in_stream() == 0


async def test_unsettled_mail_is_not_taken_for_lost(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url) as harness:
        await harness.post(new_message())
        await published(harness, 1)
        consumer = await harness.client.jetstream().pull_subscribe_bind("email-processor", "messages")
        (held,) = await consumer.fetch(1)
        await held.nak(delay=60)
        noted = await harness.rows("published_at", "")
    async with running(tmp_path, server.url) as harness:
        await harness.post(new_message("b@example.com"))
        await published(harness, 2)
        assert await harness.rows("published_at", "WHERE email = 'a@example.com'") == noted


async def test_expired_mail_is_stopped_with_its_reason(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, schedule=False) as harness:
        await harness.post(
            new_message(expires_at=in_seconds(-1)), new_message("b@example.com", expires_at="2999-01-01T00:00:00Z")
        )
    async with running(tmp_path, server.url) as harness:
        await published(harness, 1)
        (message,) = await harness.pull(1)
        assert message.expires_at == datetime(2999, 1, 1, tzinfo=UTC)
        assert await harness.rows("status, error", "WHERE email = 'a@example.com'") == [
            (4, "expired: before it could be published")
        ]
        assert +harness.metrics.unsent == {"expired": 1}


@pytest.mark.parametrize(("policy", "statuses"), [("skip", [(0, 1), (4, 1)]), ("send", [(0, 2)])])
async def test_the_misfire_policy_decides_of_what_is_too_late(
    tmp_path: Path, server: NatsServer, policy: str, statuses: list[tuple[int, int]]
) -> None:
    async with running(tmp_path, server.url) as harness:
        await harness.post(new_message("late@example.com", "soon@example.com"), scheduled_at=in_seconds(3600))
        await until(partial(harness.database.fetch, "SELECT * FROM facts WHERE name = 'scheduler_alive'"))
    # An hour and a bit goes by, in which nothing runs.
    async with running(tmp_path, server.url, schedule=False) as harness, harness.database.transaction() as connection:
        await connection.execute("UPDATE facts SET value = value - 7200 WHERE name = 'scheduler_alive'")
        await connection.execute("UPDATE email_requests SET scheduled_at = scheduled_at - 3600 - 60 * (id = 1)")
    async with running(tmp_path, server.url, misfire=policy) as harness:
        await published(harness, dict(statuses)[0])
        assert await harness.rows() == statuses
        assert +harness.metrics.unsent == ({"misfired": 1} if policy == "skip" else {})


async def test_the_ledger_takes_published_mail_as_its_own(harness: ApiHarness) -> None:
    assert isinstance(harness.ledger, SqliteLedger)
    await harness.post(new_message())
    (message,) = await harness.pull(1)
    await harness.finish(message, Sent("ses-1"))
    assert await harness.rows("status, source, message_id", "") == [(2, "api", "ses-1")]


async def test_what_a_worker_made_of_a_mail_before_its_publication_was_noted_stays(
    tmp_path: Path, server: NatsServer
) -> None:
    async with running(tmp_path, server.url, schedule=False) as harness:
        await harness.post(new_message())
        [(row,)] = await harness.rows("id", "")
        due = DueMail(harness.database)
        await due.finish([(row, Status.STOPPED, "suppressed: a@example.com: manual")])
        await due.mark_published([(row, 7)])
        assert await harness.rows("error, published_sequence", "") == [("suppressed: a@example.com: manual", 7)]
