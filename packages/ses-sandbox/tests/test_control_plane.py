"""What a doctor asks SES about: identities, configuration sets, the suppression list."""

from typing import Any

import pytest

from sandbox_mail import simple_mail
from ses_sandbox.testing import Control


async def test_everything_exists_until_scripted(ses: Any) -> None:
    identity = await ses.get_email_identity(EmailIdentity="example.com")
    found = await ses.get_configuration_set(ConfigurationSetName="main")
    [destination] = (await ses.get_configuration_set_event_destinations(ConfigurationSetName="main"))[
        "EventDestinations"
    ]

    assert (identity["IdentityType"], identity["VerifiedForSendingStatus"]) == ("DOMAIN", True)
    assert identity["DkimAttributes"]["Status"] == "SUCCESS"
    assert found["SendingOptions"] == {"SendingEnabled": True}
    assert destination["SnsDestination"]["TopicArn"] == "arn:aws:sns:ap-northeast-2:000000000000:ses-events"
    assert {"SEND", "BOUNCE"} <= set(destination["MatchingEventTypes"])


async def test_scripted_identities_decide_who_may_send(sandbox: Control, ses: Any) -> None:
    identities = {"Example.com": {}, "new.example": {"verified": False, "dkim": "PENDING"}}
    await sandbox.put("/sandbox/identities", {"identities": identities})

    await ses.send_email(**simple_mail(FromEmailAddress="shop@mail.example.com"))
    with pytest.raises(ses.exceptions.MessageRejected, match=r"not verified.*AP-NORTHEAST-2: a@new\.example"):
        await ses.send_email(**simple_mail(FromEmailAddress="a@new.example"))
    with pytest.raises(ses.exceptions.NotFoundException):
        await ses.get_email_identity(EmailIdentity="other.example")
    listed = (await ses.list_email_identities())["EmailIdentities"]
    assert [(each["IdentityName"], each["VerificationStatus"]) for each in listed] == [
        ("example.com", "SUCCESS"),
        ("new.example", "PENDING"),
    ]


async def test_an_account_without_production_access_writes_to_verified_addresses(sandbox: Control, ses: Any) -> None:
    await sandbox.put("/sandbox/identities", {"identities": {"example.com": {}}})
    await sandbox.put("/sandbox/account", {"production_access": False})

    await ses.send_email(**simple_mail(to=["a@example.com", "success@simulator.amazonses.com"]))
    with pytest.raises(ses.exceptions.MessageRejected, match=r"b@elsewhere\.example"):
        await ses.send_email(**simple_mail(to="b@elsewhere.example"))
    assert (await ses.get_account())["ProductionAccessEnabled"] is False


async def test_the_suppression_list(ses: Any) -> None:
    for address, reason in (("b+x@example.com", "BOUNCE"), ("A@example.com", "COMPLAINT"), ("c@example.com", "BOUNCE")):
        await ses.put_suppressed_destination(EmailAddress=address, Reason=reason)

    first = await ses.list_suppressed_destinations(PageSize=2)
    rest = await ses.list_suppressed_destinations(PageSize=2, NextToken=first["NextToken"])
    complaints = await ses.list_suppressed_destinations(Reasons=["COMPLAINT"])
    found = (await ses.get_suppressed_destination(EmailAddress="b+x@example.com"))["SuppressedDestination"]

    pages = [[each["EmailAddress"] for each in page["SuppressedDestinationSummaries"]] for page in (first, rest)]
    assert pages == [["a@example.com", "b+x@example.com"], ["c@example.com"]]
    assert "NextToken" not in rest
    assert len(complaints["SuppressedDestinationSummaries"]) == 1
    assert (found["Reason"], found["LastUpdateTime"].year >= 2024) == ("BOUNCE", True)
    await ses.delete_suppressed_destination(EmailAddress="b+x@example.com")
    with pytest.raises(ses.exceptions.NotFoundException):
        await ses.get_suppressed_destination(EmailAddress="b+x@example.com")
    with pytest.raises(ses.exceptions.BadRequestException):
        await ses.put_suppressed_destination(EmailAddress="x@example.com", Reason="OTHER")
