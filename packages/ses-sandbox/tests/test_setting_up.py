"""What a program that sets up an account does: makes identities, configuration sets and topics, with tags."""

from typing import Any

import pytest

from sandbox_clients import client
from ses_sandbox.testing import Control

_TAGS = [{"Key": "made-by", "Value": "test"}]


async def test_a_created_identity_has_to_be_verified(sandbox: Control, ses: Any) -> None:
    await sandbox.put("/sandbox/identities", {"identities": {}})

    created = await ses.create_email_identity(EmailIdentity="Example.com", Tags=_TAGS)
    await ses.put_email_identity_mail_from_attributes(
        EmailIdentity="example.com", MailFromDomain="bounce.example.com", BehaviorOnMxFailure="USE_DEFAULT_VALUE"
    )
    found = await ses.get_email_identity(EmailIdentity="example.com")

    assert (created["VerifiedForSendingStatus"], created["DkimAttributes"]["Status"]) == (False, "PENDING")
    assert len(set(found["DkimAttributes"]["Tokens"])) == 3
    assert (found["Tags"], found["MailFromAttributes"]["MailFromDomain"]) == (_TAGS, "bounce.example.com")
    with pytest.raises(ses.exceptions.AlreadyExistsException):
        await ses.create_email_identity(EmailIdentity="example.com")
    await ses.delete_email_identity(EmailIdentity="example.com")
    with pytest.raises(ses.exceptions.NotFoundException):
        await ses.get_email_identity(EmailIdentity="example.com")


async def test_a_created_configuration_set_publishes_where_it_is_made_to(sandbox: Control, ses: Any) -> None:
    await sandbox.put("/sandbox/configuration-sets", {"configuration_sets": {}})
    topic = "arn:aws:sns:ap-northeast-2:000000000000:ses-events"
    destination = {"Enabled": True, "MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": topic}}
    names = {"ConfigurationSetName": "mail", "EventDestinationName": "events"}

    await ses.create_configuration_set(ConfigurationSetName="mail", Tags=_TAGS)
    await ses.create_configuration_set_event_destination(**names, EventDestination=destination)
    with pytest.raises(ses.exceptions.AlreadyExistsException):
        await ses.create_configuration_set_event_destination(**names, EventDestination=destination)
    await ses.update_configuration_set_event_destination(
        **names, EventDestination=destination | {"MatchingEventTypes": ["SEND", "BOUNCE"]}
    )
    [found] = (await ses.get_configuration_set_event_destinations(ConfigurationSetName="mail"))["EventDestinations"]

    assert (await ses.get_configuration_set(ConfigurationSetName="mail"))["Tags"] == _TAGS
    assert (found["Name"], found["MatchingEventTypes"]) == ("events", ["SEND", "BOUNCE"])
    with pytest.raises(ses.exceptions.BadRequestException):
        await ses.update_configuration_set_event_destination(
            **names, EventDestination=destination | {"MatchingEventTypes": ["NONE"]}
        )
    await ses.delete_configuration_set_event_destination(**names)
    with pytest.raises(ses.exceptions.NotFoundException):
        await ses.delete_configuration_set_event_destination(**names)
    await ses.delete_configuration_set(ConfigurationSetName="mail")
    with pytest.raises(ses.exceptions.NotFoundException):
        await ses.get_configuration_set(ConfigurationSetName="mail")


async def test_until_scripted_nothing_is_left_to_create(ses: Any) -> None:
    with pytest.raises(ses.exceptions.AlreadyExistsException):
        await ses.create_email_identity(EmailIdentity="example.com")
    with pytest.raises(ses.exceptions.AlreadyExistsException):
        await ses.create_configuration_set(ConfigurationSetName="mail")


async def test_a_topic_keeps_its_tags(sandbox: Control) -> None:
    async with client("sns", sandbox.url) as sns:
        made = await sns.create_topic(Name="events", Attributes={"SignatureVersion": "2"}, Tags=_TAGS)
        assert (await sns.create_topic(Name="events", Tags=_TAGS))["TopicArn"] == made["TopicArn"]
        assert (await sns.list_tags_for_resource(ResourceArn=made["TopicArn"]))["Tags"] == _TAGS
        with pytest.raises(sns.exceptions.InvalidParameterException, match="different tags"):
            await sns.create_topic(Name="events", Tags=[{"Key": "made-by", "Value": "others"}])
        await sns.delete_topic(TopicArn=made["TopicArn"])
        with pytest.raises(sns.exceptions.ResourceNotFoundException):
            await sns.list_tags_for_resource(ResourceArn=made["TopicArn"])
