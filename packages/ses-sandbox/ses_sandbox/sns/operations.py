"""The SNS actions a client needs to subscribe, to confirm and to inspect subscriptions."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

import orjson

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.query_protocol import Entries, Node, entries, tags
from ses_sandbox.config import ACCOUNT_ID
from ses_sandbox.events.settings import EventSettings
from ses_sandbox.sns.envelope import confirmation_request
from ses_sandbox.sns.outbox import Outbox
from ses_sandbox.sns.topics import Subscription, Topics, topic_arn

Form = Mapping[str, str]
Action = Callable[[Form, str], Awaitable[dict[str, Node] | None]]
"""Takes the form and the region it was signed for; returns the result, None for an action without one."""

_SETTABLE = ("RawMessageDelivery", "DeliveryPolicy")
_LONGEST = 3600
"""Longest time, in seconds, from the first attempt to the last that an SNS policy can express; ours may be unlimited."""
# As in SNS's default policy.
_STEADY = {
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}


class SnsOperations:
    """Delivery policies are stored and returned, but retries follow `PUT /sandbox/events`, which is the default policy returned."""

    def __init__(self, topics: Topics, outbox: Outbox, settings: EventSettings) -> None:
        self._topics = topics
        self._outbox = outbox
        self._settings = settings
        self.actions: dict[str, Action] = {
            "CreateTopic": self._create_topic,
            "DeleteTopic": self._delete_topic,
            "ListTopics": self._list_topics,
            "ListTagsForResource": self._list_tags,
            "GetTopicAttributes": self._get_topic_attributes,
            "SetTopicAttributes": self._set_topic_attributes,
            "Subscribe": self._subscribe,
            "ConfirmSubscription": self._confirm_subscription,
            "Unsubscribe": self._unsubscribe,
            "ListSubscriptions": self._list_subscriptions,
            "ListSubscriptionsByTopic": self._list_subscriptions,
            "GetSubscriptionAttributes": self._get_subscription_attributes,
            "SetSubscriptionAttributes": self._set_subscription_attributes,
            "Publish": self._publish,
        }

    async def _create_topic(self, form: Form, region: str) -> dict[str, Node]:
        given, arn = tags(form), topic_arn(region, form["Name"])
        if given and arn in self._topics.topics and given != self._topics.tags.get(arn):
            raise _invalid("Tags Reason: Topic already exists with different tags")
        return {"TopicArn": await self._topics.create(region, form["Name"], entries(form, "Attributes"), given)}

    async def _list_tags(self, form: Form, _region: str) -> dict[str, Node]:
        arn = form["ResourceArn"]
        if arn not in self._topics.topics:
            raise AwsError("ResourceNotFound", "Resource does not exist", 404)
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._topics.tags.get(arn, {}).items()]}

    async def _delete_topic(self, form: Form, _region: str) -> None:
        await self._topics.delete(form["TopicArn"])

    async def _list_topics(self, _form: Form, region: str) -> dict[str, Node]:
        return {"Topics": [{"TopicArn": arn} for arn in self._topics.topics if arn.split(":")[3] == region]}

    async def _get_topic_attributes(self, form: Form, _region: str) -> dict[str, Node]:
        arn = self._topic(form)
        confirmed = sum(each.confirmed for each in self._topics.of(arn))
        attributes = {
            "TopicArn": arn,
            "Owner": ACCOUNT_ID,
            "DisplayName": "",
            "SubscriptionsConfirmed": str(confirmed),
            "SubscriptionsPending": str(len(self._topics.of(arn)) - confirmed),
            "SubscriptionsDeleted": "0",
            "SignatureVersion": self._settings.signature_version,
            "EffectiveDeliveryPolicy": self._effective_policy(None),
        }
        return {"Attributes": Entries(attributes | self._topics.topics[arn])}

    async def _set_topic_attributes(self, form: Form, _region: str) -> None:
        arn = self._topic(form)
        changed = {form["AttributeName"]: form.get("AttributeValue", "")}
        await self._topics.set_attributes(arn, self._topics.topics[arn] | changed)

    async def _subscribe(self, form: Form, _region: str) -> dict[str, Node]:
        topic_arn, protocol, endpoint = self._topic(form), form["Protocol"], form.get("Endpoint", "")
        if protocol not in ("http", "https"):
            raise _invalid(f"the sandbox has no {protocol} endpoints")
        if urlsplit(endpoint).scheme != protocol or not urlsplit(endpoint).hostname:
            raise _invalid("Endpoint must match the specified protocol")
        subscription = await self._topics.subscribe(topic_arn, endpoint, attributes=entries(form, "Attributes"))
        if not subscription.confirmed:
            await self._outbox.put_message(confirmation_request(subscription))
        shown = subscription.confirmed or form.get("ReturnSubscriptionArn") == "true"
        return {"SubscriptionArn": subscription.arn if shown else "pending confirmation"}

    async def _confirm_subscription(self, form: Form, _region: str) -> dict[str, Node]:
        confirmed = await self._topics.confirm(self._topic(form), form["Token"])
        if confirmed is None:
            raise _invalid("Token")
        return {"SubscriptionArn": confirmed.arn}

    async def _unsubscribe(self, form: Form, _region: str) -> None:
        await self._topics.unsubscribe(self._subscription(form))

    async def _list_subscriptions(self, form: Form, _region: str) -> dict[str, Node]:
        found = self._topics.of(self._topic(form)) if "TopicArn" in form else self._topics.subscriptions.values()
        return {
            "Subscriptions": [
                {
                    "SubscriptionArn": each.arn if each.confirmed else "PendingConfirmation",
                    "Owner": ACCOUNT_ID,
                    "Protocol": each.protocol,
                    "Endpoint": each.endpoint,
                    "TopicArn": each.topic_arn,
                }
                for each in found
            ]
        }

    async def _get_subscription_attributes(self, form: Form, _region: str) -> dict[str, Node]:
        subscription = self._subscription(form)
        attributes = {
            "SubscriptionArn": subscription.arn,
            "TopicArn": subscription.topic_arn,
            "Owner": ACCOUNT_ID,
            "Protocol": subscription.protocol,
            "Endpoint": subscription.endpoint,
            "PendingConfirmation": str(not subscription.confirmed).lower(),
            "ConfirmationWasAuthenticated": str(subscription.confirmed).lower(),
            "RawMessageDelivery": str(subscription.raw or self._settings.raw_delivery).lower(),
            "EffectiveDeliveryPolicy": self._effective_policy(subscription.attributes.get("DeliveryPolicy")),
            "SubscriptionPrincipal": f"arn:aws:iam::{ACCOUNT_ID}:user/sandbox",
        }
        return {"Attributes": Entries(subscription.attributes | attributes)}

    async def _set_subscription_attributes(self, form: Form, _region: str) -> None:
        subscription, name = self._subscription(form), form["AttributeName"]
        if name not in _SETTABLE:
            raise _invalid("AttributeName")
        changed = subscription.attributes | {name: form.get("AttributeValue", "")}
        await self._topics.store(replace(subscription, attributes=changed))

    async def _publish(self, form: Form, _region: str) -> dict[str, Node]:
        message_id = await self._outbox.publish(
            self._topics.receiving(self._topic(form)), form["Message"], form.get("Subject")
        )
        return {"MessageId": message_id}

    def _effective_policy(self, policy: str | None) -> str:
        given = orjson.loads(policy).get("healthyRetryPolicy", {}) if policy else {}
        pause, retries = max(1, round(self._settings.retry_delay)), self._settings.max_retries
        ours = {
            "minDelayTarget": pause,
            "maxDelayTarget": pause,
            "numRetries": -(-_LONGEST // pause) if retries is None else retries,
        }
        return orjson.dumps({"http": {"defaultHealthyRetryPolicy": _STEADY | ours | given}}).decode()

    def _topic(self, form: Form) -> str:
        arn = form["TopicArn"]
        if arn not in self._topics.topics:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return arn

    def _subscription(self, form: Form) -> Subscription:
        try:
            return self._topics.subscriptions[form["SubscriptionArn"]]
        except KeyError:
            raise AwsError("NotFound", "Subscription does not exist", 404) from None


def _invalid(what: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {what}", 400)
