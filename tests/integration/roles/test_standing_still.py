"""The ways in which mail can stand still, and that `/ready` names each in words of ours.

That mail waits and none moves, which is found out last, takes a minute elsewhere and a second here.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import nats
import pytest

from email_consumer.jetstream.api import ask
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.roles import monitoring
from email_consumer.roles.sidecar import build_sidecar
from email_consumer.roles.worker import build_worker
from email_consumer.sources.jetstream import receiver as jetstream
from ses_sandbox.testing import SandboxTask
from tests.integration.roles.harness import KEY, RolesHarness
from tests.servers.claims import first_claims
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.waiting import PATIENCE


@pytest.fixture
async def harness(
    tmp_path: Path,
    aws_environment: Path,  # noqa: ARG001 - set first
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[RolesHarness]:
    monkeypatch.setattr(monitoring, "PATIENCE", 1.0)
    monkeypatch.setattr(jetstream, "_REFRESH_EVERY", 0.1)
    monkeypatch.setattr(jetstream, "_BACKOFF", 0.05)
    monkeypatch.setattr(jetstream, "HEARTBEAT", 0.2)
    async with (
        NatsServer(tmp_path / "nats") as server,
        SandboxTask(tmp_path / "sandbox") as sandbox,
        aiohttp.ClientSession() as session,
        AsyncExitStack() as roles,
        AsyncExitStack() as mess,
    ):
        client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
        roles.push_async_callback(client.close)
        variables = {
            "NATS_URL": server.url,
            "AWS_ENDPOINT_URL_SESV2": sandbox.url,
            "API_KEY": KEY,
            "SES_TIMEOUT": "0.3",
            "SES_RATE_PER_SEC": "100",
            "SHUTDOWN_GRACE": "0.1",
        }
        yield RolesHarness(tmp_path, server, sandbox, client, session, roles, mess, variables=variables)


_PATIENT = 30
"""Seconds. After an answer that came too late, as on a busy machine, the account is asked again only after a minute."""


async def nats_is_away(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.nats.stop()


async def the_stream_is_gone_and_its_subjects_are_anothers(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.client.jetstream().delete_stream("messages")
    await harness.client.jetstream().add_stream(name="other", subjects=["messages.*"])


async def the_consumer_is_paused(harness: RolesHarness) -> None:
    await harness.start_well()
    await ask(harness.client, "CONSUMER.PAUSE.messages.email-processor", {"pause_until": "2100-01-01T00:00:00Z"})


async def the_consumers_max_bytes_is_less_than_the_next_mail(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.replace_consumer(max_bytes=10)
    await harness.publish("u-1")


async def a_push_consumer_has_taken_its_place(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.replace_consumer(deliver_subject="elsewhere", max_waiting=0)


async def the_consumer_is_of_another_subject(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.replace_consumer(filter_subject="messages.other")


async def the_consumer_gives_headers_only(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.replace_consumer(headers_only=True)


async def all_that_max_ack_pending_allows_waits_for_another_attempt(harness: RolesHarness) -> None:
    await harness.start_well(RETRY_DELAY=3_600)
    await harness.fault(kind="error", code="BrandNewException", match={"uuid": "bad-*"})
    await harness.change_consumer(max_ack_pending=2)
    await harness.publish("bad-1", "bad-2", "good")


async def another_one_has_the_right_to_the_consumer(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.launch()


async def mail_of_the_api_has_no_room_in_the_stream(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.limit("messages", max_msgs=1)
    await harness.client.jetstream().publish("messages.other", b"")
    await harness.post()


async def dead_letters_have_no_room_in_their_stream(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.limit("messages-dead", max_bytes=1)
    await harness.client.jetstream().publish("messages.email", b"\x00 no message")


async def the_file_is_locked(harness: RolesHarness) -> None:
    await harness.start_well()
    operator = sqlite3.connect(harness.database, timeout=PATIENCE, check_same_thread=False)
    harness.mess.callback(operator.close)
    # The role runs in this loop, and may be in the middle of a transaction that it could not end if the loop stood still.
    await asyncio.to_thread(operator.execute, "BEGIN IMMEDIATE")
    await harness.publish("u-1")


async def the_account_is_paused(harness: RolesHarness) -> None:
    await harness.sandbox.put("/sandbox/account", {"sending_enabled": False})
    await harness.start()


async def the_account_is_shut_down(harness: RolesHarness) -> None:
    await harness.sandbox.put("/sandbox/account", {"enforcement_status": "SHUTDOWN"})
    await harness.start(SES_TIMEOUT=_PATIENT)


async def the_quota_is_used_up(harness: RolesHarness) -> None:
    await harness.sandbox.put("/sandbox/account", {"max_24_hour_send": 10, "sent_last_24_hours": 10})
    await harness.start(SES_TIMEOUT=_PATIENT)


async def ses_can_not_be_reached(harness: RolesHarness) -> None:
    [nobody] = free_ports(1)
    await harness.start_well(AWS_ENDPOINT_URL_SESV2=f"http://127.0.0.1:{nobody}")
    await harness.publish("u-1")


async def ses_refuses_our_credentials(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.fault(kind="error", code="InvalidClientTokenId", status=403)
    await harness.publish("u-1")


async def ses_has_not_verified_our_sender(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.fault(kind="error", code="MailFromDomainNotVerifiedException")
    await harness.publish("u-1")


async def ses_fails_whatever_is_sent(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.fault(kind="error", code="InternalFailure")
    await harness.publish(*(f"u-{number}" for number in range(10)))


async def ses_never_answers(harness: RolesHarness) -> None:
    await harness.start_well()
    await harness.fault(kind="hang")
    await harness.publish(*(f"u-{number}" for number in range(10)))


async def ses_throttles_whatever_is_sent(harness: RolesHarness) -> None:
    await harness.start_well(CONCURRENCY_LIMIT=1)
    await harness.fault(kind="error", code="TooManyRequestsException")
    await harness.publish(*(f"u-{number}" for number in range(100)))


async def no_sidecar_has_made_the_bucket_of_claims(harness: RolesHarness) -> None:
    await harness.launch(build_worker, LEDGER="jetstream")


async def no_sidecar_has_published_what_stops_mail(harness: RolesHarness) -> None:
    await first_claims(harness.client, "messages")
    await harness.launch(build_worker, LEDGER="jetstream")


async def outcomes_have_no_room_in_their_stream(harness: RolesHarness) -> None:
    await start_roles(harness)
    await harness.limit(Names("messages").outcomes, max_bytes=1)
    await harness.publish("u-1")


async def claims_have_no_room_in_their_bucket(harness: RolesHarness) -> None:
    await start_roles(harness)
    await harness.limit(Names("messages").bucket_stream, max_bytes=1)
    await harness.publish("u-1")


async def the_workers_outcomes_reach_no_sidecar(harness: RolesHarness) -> None:
    await harness.start_well(build_sidecar, LEDGER="jetstream")
    pause = {"pause_until": "2100-01-01T00:00:00Z"}
    await ask(harness.client, f"CONSUMER.PAUSE.{Names('messages').outcomes}.sidecar", pause)


async def start_roles(harness: RolesHarness) -> None:
    """The worker is the one that is asked."""
    await harness.start_well(build_sidecar, LEDGER="jetstream")
    await harness.start_well(build_worker, LEDGER="jetstream")


Cause = Callable[[RolesHarness], Awaitable[None]]
WAYS: list[tuple[Cause, str, str]] = [
    (nats_is_away, "nats", "not connected"),
    (the_stream_is_gone_and_its_subjects_are_anothers, "nats", "NATS refuses stream 'messages'"),
    (the_consumer_is_paused, "nats", "the consumer 'email-processor' is paused until 2100-01-01T00:00:00Z"),
    (the_consumers_max_bytes_is_less_than_the_next_mail, "nats", "NATS refuses a request for mail"),
    (a_push_consumer_has_taken_its_place, "nats", "consumer 'email-processor'"),
    (the_consumer_is_of_another_subject, "nats", "consumer 'email-processor'"),
    (the_consumer_gives_headers_only, "nats", "consumer 'email-processor'"),
    (all_that_max_ack_pending_allows_waits_for_another_attempt, "nats", "2 deliveries of the consumer"),
    (another_one_has_the_right_to_the_consumer, "consumer", "another email-consumer holds the consumer"),
    (mail_of_the_api_has_no_room_in_the_stream, "schedule", "due mail can't be put into the queue"),
    (dead_letters_have_no_room_in_their_stream, "dead_letters", "dead letters can't be stored"),
    (the_file_is_locked, "ledger", "the database accepts no writes"),
    (the_account_is_paused, "ses", "sending is paused for this SES account"),
    (the_account_is_shut_down, "ses", "SES has shut this account down"),
    (the_quota_is_used_up, "ses", "the SES quota of 10 recipients in 24 hours is used up"),
    (ses_can_not_be_reached, "ses", "no connection to SES"),
    (ses_refuses_our_credentials, "ses", "AWS does not accept our credentials"),
    (ses_has_not_verified_our_sender, "ses", "the MAIL FROM domain of our sender FROM_EMAIL is not verified"),
    (ses_fails_whatever_is_sent, "ses", "SES fails for every mail"),
    (ses_never_answers, "ses", "SES does not respond"),
    (ses_throttles_whatever_is_sent, "stuck", "mail is waiting, and none was settled for"),
    (no_sidecar_has_made_the_bucket_of_claims, "claims", "the claims bucket is missing"),
    (no_sidecar_has_published_what_stops_mail, "shared_state", "no sidecar"),
    (outcomes_have_no_room_in_their_stream, "ledger", "JetStream takes nothing into messages-outcomes"),
    (claims_have_no_room_in_their_bucket, "ledger", "JetStream takes nothing into KV_messages-claims"),
    (the_workers_outcomes_reach_no_sidecar, "nats", "the consumer 'sidecar' is paused"),
]


@pytest.mark.parametrize(("cause", "check", "reason"), WAYS, ids=[way[0].__name__ for way in WAYS])
async def test_ready_names_why_mail_stands_still(harness: RolesHarness, cause: Cause, check: str, reason: str) -> None:
    await cause(harness)
    await harness.wait_named(check, reason)
