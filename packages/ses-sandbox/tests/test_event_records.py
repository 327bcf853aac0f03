"""Event records and their recipients."""

import pytest

from ses_sandbox.events.payloads import events_of
from ses_sandbox.events.simulator import Fate, fate_of
from ses_sandbox.mailbox import AcceptedMail
from ses_sandbox.ses.send_request import SendRequest


@pytest.mark.parametrize(
    ("address", "fate"),
    [
        ("success@simulator.amazonses.com", Fate.DELIVERED),
        ("Bounce+a.b@Simulator.AmazonSES.com", Fate.BOUNCED),
        ("complaint@simulator.amazonses.com", Fate.COMPLAINED),
        ("ooto@simulator.amazonses.com", Fate.OUT_OF_OFFICE),
        ("suppressionlist@simulator.amazonses.com", Fate.SUPPRESSED),
        ("bounce@example.com", Fate.DELIVERED),
        ("GONE@example.com", Fate.SUPPRESSED),
    ],
)
def test_the_fate_of_an_address(address: str, fate: Fate) -> None:
    assert fate_of(address, {"gone@example.com"}) is fate


def test_recipients_with_the_same_fate_share_an_event() -> None:
    recipients = ("a@x.example", "bounce+1@simulator.amazonses.com", "b@x.example", "bounce+2@simulator.amazonses.com")
    request = SendRequest(
        sender="Shop <no-reply@example.com>",
        to=recipients,
        cc=(),
        bcc=(),
        reply_to=("help@example.com",),
        recipients=recipients,
        subject="s",
        headers={"X-Request-ID": "u"},
        tags={"uuid": "u"},
        configuration_set=None,
        tenant=None,
        tracking={},
        body=b"",
    )

    events = dict(events_of(AcceptedMail("id", 0.0, request), "eu-west-1", set()))

    assert list(events) == ["Send", "Delivery", "Bounce"]
    assert events["Delivery"]["delivery"]["recipients"] == ["a@x.example", "b@x.example"]
    bounced = events["Bounce"]["bounce"]["bouncedRecipients"]
    assert [each["diagnosticCode"] for each in bounced] == ["smtp; 550 5.1.1 user unknown"] * 2
    mail = events["Send"]["mail"]
    assert mail["timestamp"] == "1970-01-01T00:00:00.000Z"
    assert mail["sourceArn"] == "arn:aws:ses:eu-west-1:000000000000:identity/no-reply@example.com"
    assert mail["commonHeaders"]["replyTo"] == ("help@example.com",)
    assert "ses:configuration-set" not in mail["tags"]
