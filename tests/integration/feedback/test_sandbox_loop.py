"""The whole loop with the sandbox in place of SES and SNS: handshake, signed events, simulator addresses, mirror."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aioboto3
import pytest

from email_consumer.aws.tenant_name import allow_tenant_name
from email_consumer.core.outcome import Duplicate, InDoubt, Sent, Stopped, StopReason
from email_consumer.message.model import EmailMessage
from email_consumer.ses.client import SesClient
from email_consumer.ses.session import AwsSession
from email_consumer.sns.sandbox_certificate import sandbox_certificate
from email_consumer.suppression.mirror import Mirror
from email_consumer.suppression.suppression import Reason
from ses_sandbox.testing import SandboxTask
from tests.factories import ORIGIN, mail
from tests.integration.feedback.harness import FeedbackHarness, open_harness
from tests.integration.feedback.http_harness import serve

REGION = "ap-northeast-2"
TOPIC = f"arn:aws:sns:{REGION}:000000000000:ses-events"
SIMULATOR = "simulator.amazonses.com"


@dataclass(frozen=True, slots=True)
class Loop:
    harness: FeedbackHarness
    sandbox: SandboxTask
    ses: SesClient

    async def send(self, message: EmailMessage) -> Sent:
        sent = await self.ses.send(message)
        assert isinstance(sent, Sent)
        return sent

    async def events_delivered(self, count: int) -> None:
        answer = await self.sandbox.get("/sandbox/events/wait", delivered=count, timeout=20)
        assert answer["reached"], answer


@asynccontextmanager
async def closed_loop(directory: Path, **options: Any) -> AsyncIterator[Loop]:
    """Subscribed by the handshake that AWS has: SNS asks, we confirm through its API."""
    async with SandboxTask(directory / "sandbox", region=REGION, event_retry_delay=0.1) as sandbox:
        certificate = sandbox_certificate(directory / "sandbox" / "sns-certificate.pem", sandbox.url)
        sender = SesClient(
            partial(AwsSession.open, region=REGION, endpoint=sandbox.url, connections=4),
            region=REGION,
            from_email="shop@example.com",
            configuration_set=None,
            instance="test",
        )
        harness = open_harness(
            directory / "email.db", topics=(TOPIC,), sandbox=certificate, sns_endpoint=sandbox.url, **options
        )
        async with harness as opened, serve(opened) as http, sender as ses:
            async with aioboto3.Session(region_name=REGION).client("sns", endpoint_url=sandbox.url) as sns:
                await sns.create_topic(Name="ses-events")
                await sns.subscribe(TopicArn=TOPIC, Protocol="http", Endpoint=http.url + "/v1/events/results")
            loop = Loop(opened, sandbox, ses)
            await loop.events_delivered(1)
            [subscription] = (await sandbox.get("/sandbox/events"))["subscriptions"]
            assert subscription["confirmed"]
            yield loop


async def test_a_lost_answer_is_settled_by_the_event(tmp_path: Path) -> None:
    async with closed_loop(tmp_path) as loop:
        await loop.harness.claim()
        sent = await loop.send(mail())
        await loop.harness.finish(InDoubt("as if the answer had been cut off"))
        await loop.events_delivered(3)
        rows = loop.harness.rows("SELECT status, message_id, in_doubt FROM email_requests")
        assert rows == [(2, sent.message_id, 0)]
        assert await loop.harness.claim() == Duplicate()


@pytest.mark.parametrize("version", ["1", "2"])
async def test_three_copies_in_any_order_count_once(tmp_path: Path, version: str) -> None:
    async with closed_loop(tmp_path) as loop:
        await loop.sandbox.put("/sandbox/events", {"duplicates": 3, "shuffle": True, "signature_version": version})
        for number in range(10):
            await loop.harness.claim(f"u-{number}", topic_id="t")
            await loop.send(mail(f"u-{number}", topic_id="t", email=f"r{number}@example.com"))
        await loop.events_delivered(1 + 10 * 2 * 3)
        assert loop.harness.rows("SELECT kind, count FROM topic_results ORDER BY kind") == [
            ("Delivery", 10),
            ("Send", 10),
        ]
        assert loop.harness.rows("SELECT status, count(*) FROM email_results GROUP BY 1") == [
            ("Delivery", 10),
            ("Send", 10),
        ]
        assert loop.harness.rows("SELECT status, count(*) FROM email_requests GROUP BY 1") == [(2, 10)]


@pytest.mark.parametrize(
    ("local", "reason"),
    [
        ("bounce", "hard bounce"),
        ("complaint", "complaint"),
        ("suppressionlist", "hard bounce"),
        ("success", None),
        ("ooto", None),
    ],
)
async def test_a_simulator_address_is_suppressed_if_it_should_be(
    tmp_path: Path, local: str, reason: str | None
) -> None:
    address = f"{local}+label@{SIMULATOR}"
    events = {"success": 2, "bounce": 2, "suppressionlist": 2}.get(local, 3)
    async with closed_loop(tmp_path) as loop:
        await loop.harness.claim(email=address)
        await loop.send(mail(email=address))
        await loop.events_delivered(1 + events)  # SNS has our answers: by then the gate knows
        stopped = loop.harness.gate.check(mail("u-2", email=address), ORIGIN)
        assert stopped == (Stopped(StopReason.SUPPRESSED, f"{address}: {reason}") if reason else None)
        if reason:
            assert await loop.harness.suppressions.remove(address)
            assert loop.harness.gate.check(mail("u-2", email=address), ORIGIN) is None


async def test_five_out_of_office_replies_suppress_nobody(tmp_path: Path) -> None:
    address = f"ooto@{SIMULATOR}"
    async with closed_loop(tmp_path, soft_bounce_limit=5) as loop:
        for number in range(5):
            await loop.harness.claim(f"u-{number}", email=address)
            await loop.send(mail(f"u-{number}", email=address))
        await loop.events_delivered(1 + 5 * 3)
        assert loop.harness.rows("SELECT count(*) FROM email_results WHERE status = 'Bounce'") == [(5,)]
        assert loop.harness.gate.check(mail("next", email=address), ORIGIN) is None


async def test_changes_are_carried_over_to_sess_own_list(tmp_path: Path) -> None:
    async with closed_loop(tmp_path, mirror=True) as loop:
        address = f"complaint@{SIMULATOR}"
        await loop.harness.claim(email=address)
        await loop.send(mail(email=address))
        await loop.events_delivered(4)
        mirror = Mirror(loop.harness.database, region=REGION, endpoint=loop.sandbox.url)
        async with (
            aioboto3.Session(region_name=REGION).client("sesv2", endpoint_url=loop.sandbox.url) as ses,
            mirror.client() as changes,
        ):
            await mirror.sync(changes)
            answer = await ses.get_suppressed_destination(EmailAddress=address)
            assert answer["SuppressedDestination"]["Reason"] == "COMPLAINT"
            await loop.harness.suppressions.remove(address)
            await mirror.sync(changes)
            with pytest.raises(ses.exceptions.NotFoundException):
                await ses.get_suppressed_destination(EmailAddress=address)
        assert loop.harness.rows("SELECT count(*) FROM suppressions WHERE mirror IS NOT NULL") == [(0,)]


async def test_changes_of_a_tenant_are_carried_over_to_its_list_at_ses(tmp_path: Path) -> None:
    address = f"complaint@{SIMULATOR}"
    tenants = {"acme": {"resources": [], "suppression_scope": "TENANT"}, "globex": {"suppression_scope": "TENANT"}}
    async with closed_loop(tmp_path, mirror=True, by_tenant=True) as loop:
        await loop.sandbox.put("/sandbox/tenants", {"tenants": tenants})
        for tenant in ("acme", None):
            await loop.harness.suppressions.add(address, Reason.COMPLAINT, "", "event", tenant=tenant)
        await loop.harness.suppressions.add(address, Reason.HARD_BOUNCE, "", "event", tenant="unknown-to-ses")
        mirror = Mirror(loop.harness.database, region=REGION, endpoint=loop.sandbox.url)
        async with (
            aioboto3.Session(region_name=REGION).client("sesv2", endpoint_url=loop.sandbox.url) as ses,
            mirror.client() as changes,
        ):
            allow_tenant_name(ses)

            async def listed() -> set[str | None]:
                """Whose lists at SES have it."""
                found = set()
                for tenant in ("acme", "globex", None):
                    named = {"TenantName": tenant} if tenant else {}
                    with suppress(ses.exceptions.NotFoundException):
                        await ses.get_suppressed_destination(EmailAddress=address, **named)
                        found.add(tenant)
                return found

            await mirror.sync(changes)
            assert await listed() == {"acme", None}
            assert await loop.harness.suppressions.remove(address, "tenant:acme")
            await mirror.sync(changes)
            assert await listed() == {None}
        assert loop.harness.rows("SELECT count(*) FROM suppressions WHERE mirror IS NOT NULL") == [(0,)]
