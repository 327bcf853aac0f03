"""Accepted mail causes the events of SES, by the addresses of its mailbox simulator."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox_clients import client
from sandbox_mail import simple_mail
from ses_sandbox.testing import Control, SandboxTask
from sns_receiver import Receiver, verify

SIMULATOR = "simulator.amazonses.com"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as each:
        yield each


@pytest.fixture
async def sandbox(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Control]:
    async with SandboxTask(tmp_path, events_to=receiver.url) as task, client("sns", task.url) as sns:
        [request] = await receiver.wait_for(1)
        await sns.confirm_subscription(TopicArn=request["TopicArn"], Token=request["Token"])
        receiver.posts.clear()
        yield task


async def test_every_mail_is_sent_and_delivered(sandbox: Control, ses: Any, receiver: Receiver, tmp_path: Path) -> None:
    message_id = (await ses.send_email(**simple_mail("u-1"), ConfigurationSetName="main"))["MessageId"]
    for envelope in await receiver.wait_for(2):
        verify(envelope, tmp_path / "sns-certificate.pem")
        assert envelope["Subject"] == "Amazon SES Email Event Notification"

    by_type = {event["eventType"]: event for event in receiver.events()}
    mail = by_type["Send"]["mail"]
    assert by_type.keys() == {"Send", "Delivery"}
    assert (mail["messageId"], mail["destination"]) == (message_id, ["ann@example.com"])
    assert {"name": "X-Request-ID", "value": "u-1"} in mail["headers"]
    assert mail["tags"]["uuid"] == ["u-1"]
    assert mail["tags"]["ses:configuration-set"] == ["main"]
    assert mail["commonHeaders"]["subject"] == "Grüße"
    assert by_type["Delivery"]["delivery"]["recipients"] == ["ann@example.com"]
    assert (await sandbox.get("/sandbox/events/wait"))["pending"] == 0


@pytest.mark.parametrize(
    ("local", "outcomes"),
    [
        ("success", [("Send", None), ("Delivery", None)]),
        ("bounce+label", [("Send", None), ("Bounce", ("Permanent", "General"))]),
        ("suppressionlist", [("Send", None), ("Bounce", ("Permanent", "OnAccountSuppressionList"))]),
        ("ooto", [("Send", None), ("Delivery", None), ("Bounce", ("Transient", "General"))]),
        ("complaint", [("Send", None), ("Delivery", None), ("Complaint", ("abuse",))]),
    ],
)
@pytest.mark.usefixtures("sandbox")
async def test_simulator_addresses(ses: Any, receiver: Receiver, local: str, outcomes: list[Any]) -> None:
    await ses.send_email(**simple_mail(to=f"{local}@{SIMULATOR}"))
    await receiver.wait_for(len(outcomes))

    assert sorted(map(_outcome, receiver.events())) == sorted(outcomes)


def _outcome(event: dict[str, Any]) -> tuple[str, tuple[str, ...] | None]:
    match event:
        case {"bounce": bounce}:
            return event["eventType"], (bounce["bounceType"], bounce["bounceSubType"])
        case {"complaint": complaint}:
            return event["eventType"], (complaint["complaintFeedbackType"],)
    return event["eventType"], None


@pytest.mark.usefixtures("sandbox")
async def test_an_address_on_the_accounts_list_bounces(ses: Any, receiver: Receiver) -> None:
    await ses.put_suppressed_destination(EmailAddress="Gone@example.com", Reason="BOUNCE")
    await ses.send_email(**simple_mail(to=["gone@example.com", "here@example.com"]))
    await receiver.wait_for(3)

    bounce = next(event["bounce"] for event in receiver.events() if event["eventType"] == "Bounce")
    delivery = next(event["delivery"] for event in receiver.events() if event["eventType"] == "Delivery")
    assert bounce["bounceSubType"] == "OnAccountSuppressionList"
    assert [each["emailAddress"] for each in bounce["bouncedRecipients"]] == ["gone@example.com"]
    assert delivery["recipients"] == ["here@example.com"]


async def test_copies_types_versions_and_raw_delivery_are_scripted(
    sandbox: Control, ses: Any, receiver: Receiver, tmp_path: Path
) -> None:
    script = {"duplicates": 3, "types": ["Delivery"], "signature_version": "2", "shuffle": True, "delay": 0.1}
    await sandbox.put("/sandbox/events", script)
    await ses.send_email(**simple_mail())
    copies = await receiver.wait_for(3)

    verify(copies[0], tmp_path / "sns-certificate.pem")
    assert {copy["SignatureVersion"] for copy in copies} == {"2"}
    assert len({copy["MessageId"] for copy in copies}) == 1
    await sandbox.put("/sandbox/events", {"duplicates": 1, "raw_delivery": True, "shuffle": False, "delay": 0})
    await ses.send_email(**simple_mail())
    await receiver.wait_for(4)
    headers, body = receiver.posts[3]
    assert headers["x-amz-sns-rawdelivery"] == "true"
    assert body.startswith(b'{"eventType":"Delivery"')


async def test_any_event_can_be_posted(sandbox: Control, receiver: Receiver, tmp_path: Path) -> None:
    posted = await sandbox.post("/sandbox/events", {"eventType": "Open"})
    [envelope] = await receiver.wait_for(1)

    verify(envelope, tmp_path / "sns-certificate.pem")
    assert (posted["subscriptions"], posted["message_id"]) == (1, envelope["MessageId"])
    assert receiver.events() == [{"eventType": "Open"}]


async def test_scripted_configuration_sets_decide_what_is_published(
    sandbox: Control, ses: Any, receiver: Receiver
) -> None:
    [subscription] = (await sandbox.get("/sandbox/events"))["subscriptions"]
    destination = {"topic_arn": subscription["topic_arn"], "types": ["BOUNCE"]}
    sets = {"bounces": {"destinations": [destination]}, "paused": {"sending_enabled": False}}
    await sandbox.put("/sandbox/configuration-sets", {"configuration_sets": sets})

    await ses.send_email(**simple_mail(to=f"bounce@{SIMULATOR}"))
    await ses.send_email(**simple_mail(to=f"bounce@{SIMULATOR}"), ConfigurationSetName="bounces")
    with pytest.raises(ses.exceptions.SendingPausedException):
        await ses.send_email(**simple_mail(), ConfigurationSetName="paused")
    with pytest.raises(ses.exceptions.NotFoundException, match="Configuration set <none> does not exist"):
        await ses.send_email(**simple_mail(), ConfigurationSetName="none")
    await sandbox.get("/sandbox/events/wait", pending=0)

    assert [event["eventType"] for event in receiver.events()] == ["Bounce"]
