"""An AWS of stand-ins, with everything in it as one document."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import orjson

from email_consumer.aws.control_plane import ControlPlane, control_plane
from email_consumer.aws_setup.values import Account, Values
from ses_sandbox.testing import SandboxTask
from tests.servers.sqs import SqsServer

REGION = "eu-west-1"
ACCOUNT = "000000000000"
"""The sandbox's, and moto is given the same."""
ENDPOINT = "http://127.0.0.1:9/v1/events/results"
_CHANGING = re.compile(
    rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|20\d\d-\d\d-\d\d[T ][\d:.Z+-]+|\b1\d{9}(?:\.\d+)?\b|\bA[A-Z0-9]{20}\b"
)
"""Ids, times and random names."""


class Cloud:
    """Made by `cloud`."""

    def __init__(self, aws: ControlPlane, sandbox: SandboxTask, moto: SqsServer, events: str) -> None:
        self.aws = aws
        self.sandbox = sandbox
        self._moto = moto
        self._events = events

    def values(self, **parameters: str) -> Values:
        """Of an installation with everything."""
        found = {
            "Name": "shop",
            "Domain": "example.com",
            "MailFromDomain": "bounce.example.com",
            "CreateIdentity": "true",
            "ConfigurationSetName": "shop-set",
            "TopicName": "shop-topic",
            "Events": self._events,
            "EndpointUrl": ENDPOINT,
            "EventsQueueName": "shop-events",
            "MailQueues": "true",
            "MailQueueName": "shop-mail",
            "TransactionalQueueName": "shop-transactional",
            "SuppressionMirror": "true",
        }
        return Values(Account("aws", REGION, ACCOUNT), found | parameters, "http", ("acme",))

    async def reset(self) -> None:
        """Make it empty."""
        await self.sandbox.put("/sandbox/identities", {"identities": {}})
        await self.sandbox.put("/sandbox/configuration-sets", {"configuration_sets": {}})
        await self.sandbox.put("/sandbox/tenants", {"tenants": {}})
        for topic in (await self.aws.call("sns", "list_topics"))["Topics"]:
            await self.aws.call("sns", "delete_topic", TopicArn=topic["TopicArn"])
        async with aiohttp.ClientSession() as session, session.post(f"{self._moto.url}/moto-api/reset") as answer:
            assert answer.ok

    async def dump(self) -> bytes:
        """Every resource with everything that can be asked of it."""
        found = {
            "identities": await self.sandbox.get("/sandbox/identities"),
            "configuration sets": await self.sandbox.get("/sandbox/configuration-sets"),
            "tenants": await self._tenants(),
            "topics": await self._topics(),
            "queues": await self._queues(),
            "policies": await self._policies(),
        }
        return orjson.dumps(found, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2, default=str)

    async def shape(self) -> bytes:
        """`dump` without what differs each time: ids, times."""
        return _CHANGING.sub(b"*", await self.dump())

    async def _tenants(self) -> dict[str, Any]:
        found = {}
        for each in (await self.aws.call("sesv2", "list_tenants"))["Tenants"]:
            name = each["TenantName"]
            tenant = (await self.aws.call("sesv2", "get_tenant", TenantName=name))["Tenant"]
            resources = await self.aws.call("sesv2", "list_tenant_resources", TenantName=name)
            found[name] = tenant | {"resources": resources["TenantResources"]}
        return found

    async def _topics(self) -> dict[str, Any]:
        found = {}
        for topic in (await self.aws.call("sns", "list_topics"))["Topics"]:
            arn = topic["TopicArn"]
            listed = await self.aws.call("sns", "list_subscriptions_by_topic", TopicArn=arn)
            subscriptions = [
                each | await self._subscription(each["SubscriptionArn"]) for each in listed["Subscriptions"]
            ]
            found[arn] = {
                "attributes": (await self.aws.call("sns", "get_topic_attributes", TopicArn=arn))["Attributes"],
                "tags": (await self.aws.call("sns", "list_tags_for_resource", ResourceArn=arn))["Tags"],
                "subscriptions": subscriptions,
            }
        return found

    async def _subscription(self, arn: str) -> dict[str, Any]:
        if not arn.startswith("arn:"):
            return {}
        attributes: dict[str, Any] = await self.aws.call("sns", "get_subscription_attributes", SubscriptionArn=arn)
        return dict(attributes["Attributes"])

    async def _queues(self) -> dict[str, Any]:
        found = {}
        for url in (await self.aws.call("sqs", "list_queues")).get("QueueUrls", ()):
            attributes = await self.aws.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
            tags = await self.aws.call("sqs", "list_queue_tags", QueueUrl=url)
            found[url] = {"attributes": attributes["Attributes"], "tags": tags.get("Tags")}
        return found

    async def _policies(self) -> dict[str, Any]:
        found = {}
        for each in (await self.aws.call("iam", "list_policies", Scope="Local"))["Policies"]:
            policy = await self.aws.call("iam", "get_policy", PolicyArn=each["Arn"])
            versions = await self.aws.call("iam", "list_policy_versions", PolicyArn=each["Arn"])
            documents = [
                await self.aws.call("iam", "get_policy_version", PolicyArn=each["Arn"], VersionId=version["VersionId"])
                for version in versions["Versions"]
            ]
            found[each["Arn"]] = {
                "policy": policy["Policy"],
                "versions": [document["PolicyVersion"] for document in documents],
            }
        return found


@asynccontextmanager
async def cloud(sandbox: SandboxTask, moto: SqsServer, events: Literal["https", "sqs"]) -> AsyncIterator[Cloud]:
    """An empty one, whose SNS is the sandbox's or, for events through SQS, moto's."""
    opening = control_plane(
        region=REGION,
        ses_endpoint=sandbox.url,
        sns_endpoint=sandbox.url if events == "https" else moto.url,
        sqs_endpoint=moto.url,
        per_second=100_000,
    )
    async with opening as aws:
        found = Cloud(aws, sandbox, moto, events)
        await found.reset()
        yield found
