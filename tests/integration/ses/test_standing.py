"""SES is asked which tenants it has paused: their mail is held until SES resumes them, and what it recommends is seen."""

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from structlog.testing import capture_logs

from email_consumer.core.mail_group import MailGroup
from email_consumer.core.metrics import Metrics
from email_consumer.holds.hold import Holder
from email_consumer.holds.hold_list import HoldList
from email_consumer.message.lane import Lane
from email_consumer.observe.metrics import create_registry
from email_consumer.reputation.reputation import Reputation
from email_consumer.reputation.routes import ReputationRoutes
from email_consumer.reputation.rule import Thresholds
from email_consumer.reputation.standing_watch import StandingWatch
from email_consumer.ses.session import AwsSession
from email_consumer.store.database import Database
from email_consumer.web.app import create_app
from email_consumer.web.server import Server
from tests.integration.ses.sandbox import Sandbox

REFUSED = "SES does not send for it"
REGION = "eu-west-1"


@pytest.fixture
async def session(sandbox: Sandbox) -> AsyncIterator[AwsSession]:
    await sandbox.ask("PUT", "/sandbox/recommendations", {"recommendations": []})
    opened = await AwsSession.open(region=REGION, endpoint=sandbox.url, connections=1)
    yield opened
    await opened.close()


async def watching(session: AwsSession, database: Database, *tenants: str) -> tuple[StandingWatch, HoldList]:
    """Of mail that these tenants sent."""
    reputation = Reputation(Thresholds(0.04, 0.08, 0.0008, 0.003, 200))
    for tenant in tenants:
        reputation.sent(MailGroup(None, tenant, Lane.BULK), time.time(), 1)
    holds = HoldList(database, lambda _: None)
    await holds.load()
    return StandingWatch(session.read, holds, reputation, Metrics(), every=60), holds


async def tenants(sandbox: Sandbox, **status: dict[str, str]) -> None:
    await sandbox.ask("PUT", "/sandbox/tenants", {"tenants": status})


async def test_a_paused_tenant_is_held_until_ses_resumes_it_even_after_a_restart(
    session: AwsSession, sandbox: Sandbox, database: Database
) -> None:
    watch, holds = await watching(session, database, "acme", "globex")
    await tenants(sandbox, acme={"ses_status": "DISABLED"}, globex={}, strange={"ses_status": "DISABLED"})
    await watch.update()
    await watch.update()
    [hold] = holds.active
    assert (hold.key, hold.holder, hold.transactional) == ("tenant:acme", Holder.SES, True)
    assert hold.until == pytest.approx(time.time() + 3_600, abs=60)
    assert watch.standing.paused == {"acme", "strange"}
    watch, holds = await watching(session, database)
    await watch.update()
    assert [hold.key for hold in holds.active] == ["tenant:acme"]
    await tenants(sandbox, acme={"ses_status": "REINSTATED"}, globex={})
    await watch.update()
    assert holds.active == []


async def test_what_others_hold_is_left_alone(session: AwsSession, sandbox: Sandbox, database: Database) -> None:
    watch, holds = await watching(session, database, "acme")
    await holds.place("tenant:acme", "wrong prices", Holder.OPERATOR)
    await holds.place("tenant:globex", REFUSED, Holder.SES, until=time.time() + 60)
    await tenants(sandbox, acme={}, globex={})
    await watch.update()
    assert [hold.reason for hold in holds.active] == ["wrong prices", REFUSED]


async def test_a_refused_tenant_that_turns_out_to_be_paused_waits_for_ses(
    session: AwsSession, sandbox: Sandbox, database: Database
) -> None:
    watch, holds = await watching(session, database)
    await holds.place("tenant:acme", REFUSED, Holder.SES, until=time.time() + 60)
    await tenants(sandbox, acme={"sending_status": "DISABLED"})
    await watch.update()
    assert [hold.reason for hold in holds.active] == ["SES has paused the tenant"]
    await tenants(sandbox, acme={})
    await watch.update()
    assert holds.active == []


@pytest.mark.parametrize("code", ["AccessDeniedException", "TooManyRequestsException"])
async def test_without_an_answer_everything_stays_as_it_is_and_one_line_says_why(
    session: AwsSession, sandbox: Sandbox, database: Database, code: str
) -> None:
    watch, holds = await watching(session, database, "acme")
    await tenants(sandbox, acme={"ses_status": "DISABLED"})
    await watch.update()
    await sandbox.fault(times=2, operation="ListReputationEntities", kind="error", code=code)
    with capture_logs() as logs:
        await watch.update()
        await watch.update()
    assert [hold.key for hold in holds.active] == ["tenant:acme"]
    assert [line["event"] for line in logs if line["event"].startswith("ses.")] == ["ses.standing_unknown"]


async def test_recommendations_are_logged_once_counted_and_shown(
    session: AwsSession, sandbox: Sandbox, database: Database
) -> None:
    watch, holds = await watching(session, database, "acme")
    await tenants(sandbox, acme={"impact": "HIGH"})
    arn = f"arn:aws:ses:{REGION}:123456789012:identity/example.com"
    advice = [
        {"resource_arn": arn, "type": kind, "impact": impact, "description": f"set up {kind}"}
        for kind, impact in (("BIMI", "LOW"), ("DMARC", "HIGH"))
    ]
    await sandbox.ask("PUT", "/sandbox/recommendations", {"recommendations": advice})
    with capture_logs() as logs:
        await watch.update()
        await watch.update()
    said = [(line["event"], line.get("type"), line.get("tenant")) for line in logs]
    assert said == [
        ("ses.recommends", "DMARC", None),
        ("ses.recommends", "BIMI", None),
        ("tenant.at_risk", None, "acme"),
    ]
    registry = create_registry(watch._metrics)
    assert registry.get_sample_value("email_ses_recommendations", {"type": "DMARC", "impact": "HIGH"}) == 1
    assert registry.get_sample_value("email_ses_tenants", {"state": "at_risk"}) == 1
    app = create_app(ReputationRoutes(watch._reputation, holds, watch).routes(), ["key"], version="1")
    async with (
        Server(app, 0) as server,
        aiohttp.ClientSession(headers={"X-API-KEY": "key"}) as asking,
        asking.get(f"http://127.0.0.1:{server.port}/v1/reputation") as response,
    ):
        ses = (await response.json())["ses"]
    assert (ses["paused"], ses["at_risk"]) == ([], ["acme"])
    assert ses["recommendations"][0] == {
        "type": "DMARC",
        "resource": "identity/example.com",
        "impact": "HIGH",
        "description": "set up DMARC",
    }


async def test_all_pages_are_read(session: AwsSession, sandbox: Sandbox, database: Database) -> None:
    watch, _ = await watching(session, database)
    await tenants(sandbox, **{f"t-{number}": {"ses_status": "DISABLED"} for number in range(230)})
    await watch.update()
    assert len(watch.standing.paused) == 230
    assert watch.standing.whole
