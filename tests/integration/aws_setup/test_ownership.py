"""What others added to our resources stays, and keeps them from being removed."""

import json
from typing import Any

import pytest

from email_consumer.aws.errors import permission
from email_consumer.aws_setup.apply import InUseError, apply, destroy
from email_consumer.aws_setup.kinds.kind import Aws
from email_consumer.aws_setup.permissions import needed_permissions
from email_consumer.aws_setup.plan import make_plan
from email_consumer.aws_setup.values import Values
from tests.integration.aws_setup.cloud import Cloud
from tests.integration.aws_setup.test_apply import applied

pytestmark = pytest.mark.parametrize("events", ["sqs"], indirect=True)

_TOPIC = "arn:aws:sns:eu-west-1:000000000000:shop-topic"
_DAEMON = "arn:aws:iam::000000000000:policy/shop-daemon"
_SET = {"ConfigurationSetName": "shop-set", "EventDestinationName": "email-consumer"}
_TAGGING = {"ses:TagResource", "sns:TagResource", "sqs:TagQueue", "iam:TagPolicy"}
"""Needed by calls that create with tags."""


class Recording:
    """Calls AWS, and keeps the permissions that it takes."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self.permissions: set[str] = set()

    async def call(self, service: str, operation: str, **arguments: object) -> dict[str, Any]:
        self.permissions.add(permission(service, operation))
        return await self._aws.call(service, operation, **arguments)


async def _destination(aws: Cloud, verb: str, name: str, **changed: object) -> None:
    destination = {"Enabled": True, "MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": _TOPIC}} | changed
    await aws.aws.call(
        "sesv2",
        f"{verb}_configuration_set_event_destination",
        **_SET | {"EventDestinationName": name},
        EventDestination=destination,
    )


async def _policy(aws: Cloud) -> dict[str, Any]:
    version = (await aws.aws.call("iam", "get_policy", PolicyArn=_DAEMON))["Policy"]["DefaultVersionId"]
    answer = await aws.aws.call("iam", "get_policy_version", PolicyArn=_DAEMON, VersionId=version)
    document: dict[str, Any] = answer["PolicyVersion"]["Document"]
    return document


async def _put_policy(aws: Cloud, document: dict[str, Any]) -> None:
    text = json.dumps(document)
    await aws.aws.call("iam", "create_policy_version", PolicyArn=_DAEMON, PolicyDocument=text, SetAsDefault=True)


async def test_what_was_added_to_ours_stays(aws: Cloud) -> None:
    values = aws.values()
    await applied(aws, values)
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Action": "ses:GetSendStatistics", "Resource": "*"}
    document = await _policy(aws)
    await _put_policy(aws, document | {"Statement": [theirs, *document["Statement"]]})
    await _destination(aws, "update", "email-consumer", MatchingEventTypes=["OPEN", "SEND"], Enabled=False)
    assert set(await applied(aws, values)) == {"EventDestination"}
    assert (await _policy(aws))["Statement"][0] == theirs
    sets = (await aws.sandbox.get("/sandbox/configuration-sets"))["configuration_sets"]
    [destination] = sets["shop-set"]["destinations"]
    assert destination["enabled"]
    assert {"OPEN", "SEND", "BOUNCE"} <= set(destination["types"])


async def test_a_policy_that_was_narrowed_is_given_what_it_lacks_however_many_versions_it_has(aws: Cloud) -> None:
    values = aws.values()
    await applied(aws, values)
    whole = await _policy(aws)
    for _ in range(6):
        versions = (await aws.aws.call("iam", "list_policy_versions", PolicyArn=_DAEMON))["Versions"]
        if len(versions) < 5:
            await _put_policy(aws, whole | {"Statement": whole["Statement"][:1]})
        assert set(await applied(aws, values)) <= {"DaemonPolicy"}
        assert (await make_plan(aws.aws, values)).changes == []


async def _other_subscription(aws: Cloud, _values: Values) -> None:
    await aws.aws.call("sqs", "create_queue", QueueName="theirs")
    queue = "arn:aws:sqs:eu-west-1:000000000000:theirs"
    await aws.aws.call("sns", "subscribe", TopicArn=_TOPIC, Protocol="sqs", Endpoint=queue)


async def _other_destination(aws: Cloud, _values: Values) -> None:
    await _destination(aws, "create", "theirs")


async def _waiting_mail(aws: Cloud, _values: Values) -> None:
    url = (await aws.aws.call("sqs", "get_queue_url", QueueName="shop-mail"))["QueueUrl"]
    await aws.aws.call("sqs", "send_message", QueueUrl=url, MessageBody="{}")


async def _attached_policy(aws: Cloud, _values: Values) -> None:
    await aws.aws.call("iam", "create_user", UserName="daemon")
    await aws.aws.call("iam", "attach_user_policy", UserName="daemon", PolicyArn=_DAEMON)


async def _other_tenant(aws: Cloud, _values: Values) -> None:
    await aws.aws.call("sesv2", "create_tenant", TenantName="theirs")
    arn = "arn:aws:ses:eu-west-1:000000000000:identity/example.com"
    await aws.aws.call("sesv2", "create_tenant_resource_association", TenantName="theirs", ResourceArn=arn)


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (_other_tenant, "domain example.com holds the tenant theirs"),
        (_other_subscription, "topic shop-topic holds the subscription of arn:aws:sqs:eu-west-1:000000000000:theirs"),
        (_other_destination, "configuration set shop-set holds the event destination theirs"),
        (_waiting_mail, "queue shop-mail holds 1 message"),
        (_attached_policy, "IAM policy shop-daemon holds its attachment to daemon"),
    ],
    ids=["tenant", "subscription", "destination", "mail", "policy"],
)
async def test_nothing_is_removed_while_something_is_in_use(aws: Cloud, add: Any, words: str) -> None:
    values = aws.values()
    await applied(aws, values)
    await add(aws, values)
    before = await aws.dump()
    with pytest.raises(InUseError, match=words):
        async for _ in destroy(aws.aws, values):
            pass
    assert await aws.dump() == before


async def test_the_permissions_that_it_names_suffice(aws: Cloud) -> None:
    values = aws.values()
    applying, planning, destroying = Recording(aws.aws), Recording(aws.aws), Recording(aws.aws)
    async for _ in apply(applying, await make_plan(applying, values)):
        pass
    await make_plan(planning, values)
    async for _ in destroy(destroying, values):
        pass
    assert planning.permissions == set(needed_permissions(values, "plan"))
    assert applying.permissions | _TAGGING <= set(needed_permissions(values, "apply"))
    assert destroying.permissions <= set(needed_permissions(values, "destroy"))
