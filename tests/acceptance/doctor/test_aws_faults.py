"""What is wrong at SES and SNS, made at the sandbox."""

from typing import Any

import aioboto3
import pytest

from email_consumer.doctor.events import check_events
from email_consumer.doctor.finding import Severity
from email_consumer.doctor.identity import check_identity
from email_consumer.message.address import parse_address
from tests.acceptance.doctor.conftest import REGION, TOPIC, Installation


async def test_nothing_is_wrong_with_an_installation_without_a_fault(installation: Installation) -> None:
    assert [each for each in await installation.all_findings() if each.severity is not Severity.OK] == []


@pytest.mark.parametrize(
    ("account", "check", "severity", "words"),
    [
        ({"production_access": False}, "ses.production", "warning", "only to verified addresses"),
        ({"sending_enabled": False}, "ses.sending", "error", "paused"),
        ({"enforcement_status": "SHUTDOWN"}, "ses.standing", "error", "shut the account down"),
        ({"enforcement_status": "PROBATION"}, "ses.standing", "warning", "under review"),
        ({"max_send_rate": 14}, "ses.rate", "warning", "SES_RATE_PER_SEC is 50, SES allows 14"),
        ({"max_24_hour_send": 200, "sent_last_24_hours": 180}, "ses.quota", "warning", "180 of 200"),
        ({"max_24_hour_send": 200, "sent_last_24_hours": 200}, "ses.quota", "error", "nothing is sent"),
    ],
)
async def test_the_account(
    installation: Installation, account: dict[str, Any], check: str, severity: str, words: str
) -> None:
    await installation.sandbox.put("/sandbox/account", account)
    found = await installation.findings()
    assert (list(found), found[check].severity) == ([check], severity)
    assert words in found[check].text
    assert found[check].fix


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        ({"access_key": "another"}, "does not know our access key"),
        ({"secret_key": "another"}, "secret key does not belong"),
        ({"expired": True}, "have expired"),
    ],
)
async def test_credentials(installation: Installation, credentials: dict[str, Any], words: str) -> None:
    await installation.sandbox.put("/sandbox/credentials", credentials)
    found = await installation.findings()
    assert found["ses.credentials"].severity == "error"
    assert words in found["ses.credentials"].text
    assert found["ses.standing"].severity == "skipped"


async def test_no_credentials(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    found = await installation.findings()
    assert found["ses.credentials"].severity == "error"
    assert "AWS_PROFILE" in found["ses.credentials"].fix


async def test_an_endpoint_that_nobody_answers(installation: Installation) -> None:
    found = await installation.findings(AWS_ENDPOINT_URL_SESV2="http://127.0.0.1:9")
    assert "can't be reached" in found["ses.credentials"].text
    assert "AWS_ENDPOINT_URL_SESV2" in found["ses.credentials"].fix


@pytest.mark.parametrize(
    ("operation", "check", "severity"),
    [
        ("GetAccount", "ses.credentials", "warning"),
        ("GetEmailIdentity", "ses.identity", "skipped"),
        ("GetConfigurationSet", "ses.configuration_set", "skipped"),
        ("ListSubscriptionsByTopic", "sns.subscription", "skipped"),
        ("ListTenants", "ses.tenants", "skipped"),
        ("ListRecommendations", "ses.advice", "skipped"),
    ],
)
async def test_a_permission_that_is_missing_is_named(
    installation: Installation, operation: str, check: str, severity: str
) -> None:
    fault = {"operation": operation, "times": None, "action": {"kind": "error", "code": "AccessDeniedException"}}
    await installation.sandbox.post("/sandbox/faults", fault)
    found = await installation.findings()
    assert (list(found), found[check].severity) == ([check], severity)
    assert f":{operation}" in found[check].fix


_SES = f"arn:aws:ses:{REGION}:000000000000:"
_SETS = [f"{_SES}configuration-set/{name}" for name in ("mail", "codes")]


@pytest.mark.parametrize(
    ("tenant", "severity", "words"),
    [
        ({"resources": [f"{_SES}identity/example.com", *_SETS]}, None, ""),
        ({"resources": [f"{_SES}identity/no-reply@mail.example.com", *_SETS], "impact": "LOW"}, None, ""),
        ({"resources": [f"{_SES}identity/mail.example.com", _SETS[0]]}, "error", "may not use the configuration set codes"),
        ({"resources": _SETS}, "warning", "may not send from no-reply@mail.example.com"),
        ({"resources": [f"{_SES}identity/example.com", *_SETS], "ses_status": "DISABLED"}, "error", "which is paused"),
        ({"resources": [f"{_SES}identity/example.com", *_SETS], "impact": "HIGH"}, "warning", "SES may pause it"),
    ],
)  # fmt: skip
async def test_a_tenant(installation: Installation, tenant: dict[str, Any], severity: str | None, words: str) -> None:
    await installation.sandbox.put("/sandbox/tenants", {"tenants": {"acme": tenant}})
    found = await installation.findings(DELIVERY_LIMITS="300:codes")
    if severity is None:
        assert found == {}
        return
    assert (list(found), found["ses.tenants"].severity) == (["ses.tenants"], severity)
    assert "acme" in found["ses.tenants"].text
    assert words in found["ses.tenants"].text
    assert found["ses.tenants"].fix


async def test_what_the_advisor_recommends(installation: Installation) -> None:
    about = {"resource_arn": f"{_SES}identity/example.com", "description": "No DMARC record."}
    found = [about | {"type": "BIMI", "impact": "LOW"}, about | {"type": "DMARC", "impact": "HIGH"}]
    await installation.sandbox.put("/sandbox/recommendations", {"recommendations": found})
    first = (await installation.findings())["ses.advice"]
    assert (first.severity, "DMARC of identity/example.com (high impact)" in first.text) == ("warning", True)


async def test_a_sender_that_ses_does_not_know(installation: Installation) -> None:
    await installation.sandbox.put("/sandbox/identities", {"identities": {"example.org": {}}})
    found = await installation.findings()
    assert (list(found), found["ses.identity"].severity) == (["ses.identity"], "error")
    assert "email-consumer aws apply --domain mail.example.com" in found["ses.identity"].fix
    assert "create-email-identity --email-identity mail.example.com" in found["ses.identity"].fix


async def test_a_sender_that_is_not_verified_yet(installation: Installation) -> None:
    await installation.sandbox.put("/sandbox/identities", {"identities": {"mail.example.com": {"verified": False}}})
    assert "not verified" in (await installation.findings())["ses.identity"].text


@pytest.mark.parametrize("identity", ["mail.example.com", "example.com", "no-reply@mail.example.com"])
async def test_a_sender_is_verified_by_any_of_its_identities(installation: Installation, identity: str) -> None:
    await installation.sandbox.put("/sandbox/identities", {"identities": {identity: {}}})
    assert await installation.findings() == {}


async def test_a_sender_without_dkim(installation: Installation) -> None:
    await installation.sandbox.put("/sandbox/identities", {"identities": {"mail.example.com": {"dkim": "PENDING"}}})
    found = await installation.findings()
    assert (list(found), found["ses.dkim"].severity) == (["ses.dkim"], "warning")


async def test_the_default_sender(installation: Installation) -> None:
    assert await installation.findings(FROM_EMAIL="") == {}  # a stand-in takes it
    async with installation.control_plane() as aws:
        [finding] = await check_identity(aws, parse_address("no-reply@localhost"), stand_in=False)
    assert finding.severity == "error"
    assert "FROM_EMAIL" in finding.fix


async def test_no_configuration_set(installation: Installation) -> None:
    assert await installation.findings(CONFIGURATION_SET="") == {}  # a stand-in needs none
    async with installation.control_plane() as aws:
        topics, [finding] = await check_events(aws, None, [TOPIC], stand_in=False)
        assert (topics, finding.severity) == ({TOPIC}, "warning")
        topics, [finding] = await check_events(aws, None, [], stand_in=False)
        assert (topics, finding.severity) == (set(), "warning")
    assert "bounces and complaints go unnoticed" in finding.text


async def test_a_configuration_set_that_does_not_exist(installation: Installation) -> None:
    found = await installation.findings(CONFIGURATION_SET="other")
    assert found["ses.configuration_set"].severity == "error"
    assert "other does not exist" in found["ses.configuration_set"].text


async def test_a_configuration_set_that_is_paused(installation: Installation) -> None:
    await installation.sandbox.put(
        "/sandbox/configuration-sets", {"configuration_sets": {"mail": {"sending_enabled": False}}}
    )
    assert "paused" in (await installation.findings())["ses.configuration_set"].text


async def test_an_event_destination_that_is_disabled(installation: Installation) -> None:
    await installation.publish_events(enabled=False)
    assert "publishes no events to SNS" in (await installation.findings())["ses.event_destination"].text


async def test_event_types_that_are_missing(installation: Installation) -> None:
    await installation.publish_events(types=["SEND", "DELIVERY", "REJECT", "COMPLAINT"])
    found = await installation.findings()
    assert (list(found), found["ses.event_destination"].severity) == (["ses.event_destination"], "error")
    assert "BOUNCE" in found["ses.event_destination"].text


async def test_a_topic_that_is_not_allowed(installation: Installation) -> None:
    other = TOPIC.replace(":mail", ":other")
    await installation.publish_events(topic=other)
    assert f"SNS_TOPIC_ARNS={other}" in (await installation.findings())["ses.topic"].fix


async def test_a_topic_that_does_not_exist(installation: Installation) -> None:
    async with aioboto3.Session(region_name=REGION).client("sns", endpoint_url=installation.sandbox.url) as sns:
        await sns.delete_topic(TopicArn=TOPIC)
    assert "does not exist" in (await installation.findings())["sns.topic"].text


async def test_a_subscription_of_another_endpoint(installation: Installation) -> None:
    await installation.subscribe("http://127.0.0.1:9/v1/events/results")
    found = await installation.findings()
    assert (list(found), found["sns.subscription"].severity) == (["sns.subscription"], "error")
    assert "only http://127.0.0.1:9/v1/events/results" in found["sns.subscription"].text
    assert "email-consumer aws apply" in found["sns.subscription"].fix
    assert installation.sidecar.events_url in found["sns.subscription"].fix


async def test_a_subscription_that_was_never_confirmed(installation: Installation) -> None:
    installation.sidecar.sns_endpoint = ""
    await installation.subscribe(installation.sidecar.events_url)
    assert "never confirmed" in (await installation.findings())["sns.subscription"].text


async def test_raw_message_delivery(installation: Installation) -> None:
    async with aioboto3.Session(region_name=REGION).client("sns", endpoint_url=installation.sandbox.url) as sns:
        [subscription] = (await sns.list_subscriptions_by_topic(TopicArn=TOPIC))["Subscriptions"]
        await sns.set_subscription_attributes(
            SubscriptionArn=subscription["SubscriptionArn"], AttributeName="RawMessageDelivery", AttributeValue="true"
        )
    found = await installation.findings()
    assert found["sns.raw_delivery"].severity == "error"
    assert "RawMessageDelivery --attribute-value false" in found["sns.raw_delivery"].fix


async def test_the_default_delivery_policy_is_short_and_the_advised_one_is_not(installation: Installation) -> None:
    await installation.subscribe(installation.sidecar.events_url)
    found = await installation.findings()
    assert (list(found), found["sns.delivery_policy"].severity) == (["sns.delivery_policy"], "warning")
    assert "after 60 s" in found["sns.delivery_policy"].text
    advised = found["sns.delivery_policy"].fix.rpartition("--attribute-value '")[2].rstrip("'`")
    await installation.subscribe(installation.sidecar.events_url, DeliveryPolicy=advised)
    assert await installation.findings() == {}
