"""Queues, and who may send to them."""

from collections.abc import Mapping
from typing import Any

import orjson

from email_consumer.aws_setup.kinds.kind import Aws, Found, Kind, Lack, Properties, Tags, found
from email_consumer.aws_setup.policy_document import merged, missing

_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Queue(Kind):
    """A queue of mail, of events, or of their dead letters."""

    label = "queue"
    reads = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags")
    makes = ("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue")
    removes = ("sqs:DeleteQueue",)

    def name(self, wanted: Properties) -> str:
        return str(wanted["QueueName"])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        url = await _url(aws, self.name(wanted))
        attributes = await _attributes(aws, url)
        if url is None or attributes is None:
            return None
        tags = await found(aws, "sqs", "list_queue_tags", QueueUrl=url) or {}
        lacks, differs = [], []
        if int(attributes.get("MessageRetentionPeriod", "0")) < wanted["MessageRetentionPeriod"]:
            lacks.append(Lack("14 days of retention", essential=False))
        policy = wanted.get("RedrivePolicy")
        present = orjson.loads(attributes.get("RedrivePolicy") or "{}")
        if policy and not present:
            lacks.append(Lack("a dead-letter queue"))
        elif policy and present.get("deadLetterTargetArn") != policy["deadLetterTargetArn"]:
            differs.append(f"its dead letters go to {present.get('deadLetterTargetArn')}")
        return Found(tags.get("Tags") or {}, tuple(lacks), tuple(differs), {"url": url})

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:
        await aws.call(
            "sqs", "create_queue", QueueName=self.name(wanted), Attributes=self._wanted(wanted), tags=dict(tags)
        )

    async def change(self, aws: Aws, wanted: Properties) -> None:
        url = await _url(aws, self.name(wanted))
        attributes = await _attributes(aws, url) or {}
        changed = self._wanted(wanted)
        if attributes.get("RedrivePolicy"):
            changed.pop("RedrivePolicy", None)
        await aws.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes=changed)

    @staticmethod
    def _wanted(wanted: Properties) -> dict[str, str]:
        attributes = {"MessageRetentionPeriod": str(wanted["MessageRetentionPeriod"])}
        if "RedrivePolicy" in wanted:
            attributes["RedrivePolicy"] = orjson.dumps(wanted["RedrivePolicy"]).decode()
        return attributes

    async def others(self, aws: Aws, wanted: Properties, ours: frozenset[str]) -> list[str]:  # noqa: ARG002 - of Kind
        attributes = await _attributes(aws, await _url(aws, self.name(wanted))) or {}
        count = sum(int(attributes.get(name, "0")) for name in _COUNTS)
        return [f"{count:,} {'message' if count == 1 else 'messages'}"] if count else []

    async def remove(self, aws: Aws, wanted: Properties) -> None:
        url = await _url(aws, self.name(wanted))
        if url is not None:
            await found(aws, "sqs", "delete_queue", QueueUrl=url)


class QueuePolicy(Kind):
    """Who may send to a queue."""

    label = "queue policy"
    reads = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes")
    makes = ("sqs:SetQueueAttributes",)

    def name(self, wanted: Properties) -> str:
        return str(wanted["Queues"][0])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        _, present = await self._policy(aws, wanted)
        lacking = missing(present, wanted["PolicyDocument"])
        return Found(lacks=(Lack("the permission of the topic to send"),) if lacking else ())

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:  # noqa: ARG002 - of Kind
        await self.change(aws, wanted)

    async def change(self, aws: Aws, wanted: Properties) -> None:
        url, present = await self._policy(aws, wanted)
        policy = orjson.dumps(merged(present, wanted["PolicyDocument"])).decode()
        await aws.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})

    async def _policy(self, aws: Aws, wanted: Properties) -> tuple[str | None, dict[str, Any]]:
        url = await _url(aws, self.name(wanted))
        attributes = await _attributes(aws, url) or {}
        return url, orjson.loads(attributes.get("Policy") or "{}")


async def _url(aws: Aws, name: str) -> str | None:
    answer = await found(aws, "sqs", "get_queue_url", QueueName=name)
    return None if answer is None else str(answer["QueueUrl"])


async def _attributes(aws: Aws, url: str | None) -> Mapping[str, str] | None:
    if url is None:
        return None
    answer = await found(aws, "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
    return None if answer is None else answer.get("Attributes", {})
