"""Topics, who may publish to them, and their subscriptions."""

from typing import Any

import orjson

from email_consumer.aws_setup.kinds.kind import Aws, Found, Kind, Lack, Properties, Tags, found, tag_list, tag_map
from email_consumer.aws_setup.policy_document import merged, missing

_PENDING = "PendingConfirmation"


class Topic(Kind):
    """What SES publishes events to."""

    label = "topic"
    reads = ("sns:GetTopicAttributes", "sns:ListTagsForResource")
    makes = ("sns:CreateTopic", "sns:SetTopicAttributes", "sns:TagResource")
    removes = ("sns:DeleteTopic", "sns:ListSubscriptionsByTopic")

    def name(self, wanted: Properties) -> str:
        return str(wanted["TopicName"])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        arn = wanted["Arn"]
        attributes = await _attributes(aws, arn)
        if attributes is None:
            return None
        tags = await found(aws, "sns", "list_tags_for_resource", ResourceArn=arn) or {}
        version = attributes.get("SignatureVersion", "1")
        lacks = (
            ()
            if version == wanted["SignatureVersion"]
            else (Lack("signatures of version 2, which are SHA-256", essential=False),)
        )
        return Found(tag_map(tags.get("Tags")), lacks)

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:
        attributes = {"SignatureVersion": wanted["SignatureVersion"]}
        await aws.call("sns", "create_topic", Name=self.name(wanted), Attributes=attributes, Tags=tag_list(tags))

    async def change(self, aws: Aws, wanted: Properties) -> None:
        await _set_attribute(aws, wanted["Arn"], "SignatureVersion", wanted["SignatureVersion"])

    async def others(self, aws: Aws, wanted: Properties, ours: frozenset[str]) -> list[str]:
        subscriptions = await _subscriptions(aws, wanted["Arn"]) or []
        return [f"the subscription of {each['Endpoint']}" for each in subscriptions if each["Endpoint"] not in ours]

    async def remove(self, aws: Aws, wanted: Properties) -> None:
        await found(aws, "sns", "delete_topic", TopicArn=wanted["Arn"])


class TopicPolicy(Kind):
    """Who may publish to a topic."""

    label = "topic policy"
    reads = ("sns:GetTopicAttributes",)
    makes = ("sns:SetTopicAttributes",)

    def name(self, wanted: Properties) -> str:
        return str(wanted["Topics"][0].rpartition(":")[2])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        present = await self._policy(aws, wanted)
        lacking = missing(present, wanted["PolicyDocument"])
        return Found(lacks=(Lack("the permission of SES to publish"),) if lacking else ())

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:  # noqa: ARG002 - of Kind
        await self.change(aws, wanted)

    async def change(self, aws: Aws, wanted: Properties) -> None:
        policy = merged(await self._policy(aws, wanted), wanted["PolicyDocument"])
        await _set_attribute(aws, wanted["Topics"][0], "Policy", orjson.dumps(policy).decode())

    async def _policy(self, aws: Aws, wanted: Properties) -> dict[str, Any]:
        attributes = await _attributes(aws, wanted["Topics"][0]) or {}
        policy: dict[str, Any] = orjson.loads(attributes.get("Policy") or "{}")
        return policy


class Subscription(Kind):
    """Where a topic's messages go."""

    label = "subscription"
    reads = ("sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes")
    makes = ("sns:Subscribe", "sns:SetSubscriptionAttributes")

    def name(self, wanted: Properties) -> str:
        return str(wanted["Endpoint"])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        arn = await self._arn(aws, wanted)
        if arn in (None, _PENDING):
            return None if arn is None else Found(details={"pending": True})
        answer = await aws.call("sns", "get_subscription_attributes", SubscriptionArn=arn)
        return Found(lacks=tuple(Lack(text, essential) for _, _, text, essential in self._lacks(answer, wanted)))

    def _lacks(self, answer: dict[str, Any], wanted: Properties) -> list[tuple[str, str, str, bool]]:
        """Each: the attribute, its value, the text, whether it is essential."""
        attributes, lacks = answer["Attributes"], []
        if attributes.get("RawMessageDelivery", "false").lower() == "true":
            text = "the signed envelope: raw message delivery is on"
            lacks.append(("RawMessageDelivery", "false", text, True))
        if "DeliveryPolicy" in wanted and not attributes.get("DeliveryPolicy"):
            policy = orjson.dumps(wanted["DeliveryPolicy"]).decode()
            lacks.append(("DeliveryPolicy", policy, "a patient delivery policy", False))
        return lacks

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:  # noqa: ARG002 - of Kind
        policy = wanted.get("DeliveryPolicy")
        await aws.call(
            "sns",
            "subscribe",
            TopicArn=wanted["TopicArn"],
            Protocol=wanted["Protocol"],
            Endpoint=self.name(wanted),
            Attributes={"DeliveryPolicy": orjson.dumps(policy).decode()} if policy else {},
            ReturnSubscriptionArn=True,
        )

    async def change(self, aws: Aws, wanted: Properties) -> None:
        """Set what it lacks; one that is pending is asked again to confirm."""
        arn = await self._arn(aws, wanted)
        if arn in (None, _PENDING):
            await self.make(aws, wanted, {})
            return
        answer = await aws.call("sns", "get_subscription_attributes", SubscriptionArn=arn)
        for attribute, value, _, _ in self._lacks(answer, wanted):
            await aws.call(
                "sns",
                "set_subscription_attributes",
                SubscriptionArn=arn,
                AttributeName=attribute,
                AttributeValue=value,
            )

    async def _arn(self, aws: Aws, wanted: Properties) -> str | None:
        subscriptions = await _subscriptions(aws, wanted["TopicArn"]) or []
        ours = [each["SubscriptionArn"] for each in subscriptions if each["Endpoint"] == self.name(wanted)]
        return next((arn for arn in ours if arn != _PENDING), ours[0] if ours else None)


async def _attributes(aws: Aws, topic: str) -> dict[str, str] | None:
    answer = await found(aws, "sns", "get_topic_attributes", TopicArn=topic)
    return None if answer is None else answer["Attributes"]


async def _set_attribute(aws: Aws, topic: str, name: str, value: str) -> None:
    await aws.call("sns", "set_topic_attributes", TopicArn=topic, AttributeName=name, AttributeValue=value)


async def _subscriptions(aws: Aws, topic: str) -> list[dict[str, str]] | None:
    subscriptions: list[dict[str, str]] = []
    more: dict[str, object] = {}
    while True:
        page = await found(aws, "sns", "list_subscriptions_by_topic", TopicArn=topic, **more)
        if page is None:
            return None
        subscriptions += page["Subscriptions"]
        if not page.get("NextToken"):
            # One that was removed is listed for a while, with a word in place of its ARN.
            return [each for each in subscriptions if each["SubscriptionArn"] != "Deleted"]
        more = {"NextToken": page["NextToken"]}
