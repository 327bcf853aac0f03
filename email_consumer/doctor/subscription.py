"""SES events on their way from the SNS topic to us: the subscription is confirmed, retries for long enough, and is not raw."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from email_consumer.aws.control_plane import ControlPlane
from email_consumer.aws.errors import AwsError
from email_consumer.doctor.finding import Finding, error, ok, skipped, warning
from email_consumer.runtime.loopback import is_loopback

_PATHS = ("/v1/events/results", "/v1/events/result")
"""Where the sidecar takes events; the second is an earlier service's."""
_PENDING = "PendingConfirmation"
_PATIENCE = 900.0
"""Seconds of being away that SNS should bridge: an update of the host, a night's surprise."""
_PATIENT_POLICY = '{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":120,"numRetries":45}}'
"""About 53 minutes; SNS allows an hour."""
_DEFAULTS = {"minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3}


async def check_subscription(aws: ControlPlane, topic: str, server_url: str, queue_url: str | None) -> list[Finding]:
    """What SNS does with the messages of one topic; they come to our public address, or through a queue if we have one."""
    region = topic.split(":")[3]
    way = _Queue(queue_url) if queue_url else _Endpoint(server_url)
    try:
        subscriptions = await _subscriptions(aws, region, topic)
        ours = [each for each in subscriptions if way.is_of(each)]
        if not ours:
            return [_none_of_ours(topic, way, subscriptions)]
        confirmed = next((each for each in ours if each["SubscriptionArn"] != _PENDING), None)
        if confirmed is None:
            return [_pending(topic, ours[0]["Endpoint"])]
        arn = confirmed["SubscriptionArn"]
        answer = await aws.sns(region, "get_subscription_attributes", SubscriptionArn=arn)
    except AwsError as failure:
        if failure.absent:
            text = f"The topic {topic} does not exist."
            fix = "`email-consumer aws apply` creates it; or fix SNS_TOPIC_ARNS and the event destination."
            return [error("sns.topic", text, fix)]
        return [(skipped if failure.forbidden else error)("sns.subscription", str(failure), failure.fix)]
    found = ok("sns.subscription", f"{topic} → {confirmed['Endpoint']}, confirmed.")
    return [found, *_delivery(arn, answer["Attributes"], tries_again=way.tries_again)]


async def _subscriptions(aws: ControlPlane, region: str, topic: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    more: dict[str, object] = {}
    while True:
        page = await aws.sns(region, "list_subscriptions_by_topic", TopicArn=topic, **more)
        found += page["Subscriptions"]
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """SNS posts to the sidecar."""

    server_url: str
    tries_again = True
    """By its delivery policy; what it gives up on is lost."""

    def is_of(self, subscription: dict[str, str]) -> bool:
        given, wanted = urlsplit(subscription["Endpoint"]), urlsplit(self.server_url)
        return _origin(given) == _origin(wanted) and given.path.rstrip("/") in {wanted.path + path for path in _PATHS}

    def __str__(self) -> str:
        return f"{self.server_url}{_PATHS[0]}"

    @property
    def fix(self) -> str:
        protocol = urlsplit(self.server_url).scheme
        return (
            f"--protocol {protocol} --notification-endpoint {self}`; the running sidecar confirms it automatically. If"
            " SERVER_URL is wrong, fix it."
        )


@dataclass(frozen=True, slots=True)
class _Queue:
    """SNS puts its messages into a queue, and we take them from there."""

    url: str
    tries_again = False

    def is_of(self, subscription: dict[str, str]) -> bool:
        return subscription["Protocol"] == "sqs" and subscription["Endpoint"].rpartition(":")[2] == str(self)

    def __str__(self) -> str:
        return self.url.rstrip("/").rpartition("/")[2]

    @property
    def fix(self) -> str:
        return f"--protocol sqs --notification-endpoint <the ARN of {self}>`, and let the queue's policy allow it."


def _origin(url: SplitResult) -> tuple[str, str | None, int]:
    host = "localhost" if is_loopback(url.geturl()) else url.hostname
    return url.scheme, host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


def _none_of_ours(topic: str, way: _Endpoint | _Queue, subscriptions: list[dict[str, str]]) -> Finding:
    others = ", ".join(sorted({each["Endpoint"] for each in subscriptions}))
    but = f", only {others}" if others else ""
    text = f"{way} is not subscribed to {topic}{but}: no events arrive here."
    by_hand = f"`aws sns subscribe --topic-arn {topic} {way.fix}"
    return error("sns.subscription", text, f"`email-consumer aws apply`, or by hand {by_hand}")


def _pending(topic: str, endpoint: str) -> Finding:
    return error(
        "sns.subscription",
        f"The subscription of {endpoint} to {topic} was never confirmed: no events arrive here.",
        "Start the sidecar, with the topic in SNS_TOPIC_ARNS and sns:ConfirmSubscription allowed, then subscribe again"
        " (`email-consumer aws apply`): SNS asks again, and the sidecar confirms. If it refuses, its log says why"
        " (events.refused).",
    )


def _delivery(arn: str, attributes: dict[str, str], *, tries_again: bool) -> list[Finding]:
    findings = []
    if attributes.get("RawMessageDelivery", "false").lower() == "true":
        findings.append(
            error(
                "sns.raw_delivery",
                "Raw message delivery is on: such messages carry no signature, and every one is refused.",
                f"`aws sns set-subscription-attributes --subscription-arn {arn} --attribute-name RawMessageDelivery"
                " --attribute-value false`",
            )
        )
    patience = _RetryPolicy.read(attributes).seconds
    if tries_again and patience < _PATIENCE:
        findings.append(
            warning(
                "sns.delivery_policy",
                f"SNS gives up on an event after {patience:.0f} s: events are lost if the sidecar is down for longer.",
                f"`aws sns set-subscription-attributes --subscription-arn {arn} --attribute-name DeliveryPolicy"
                f" --attribute-value '{_PATIENT_POLICY}'`",
            )
        )
    again = f", tried again for {patience / 60:.0f} minutes" if tries_again else ""
    return findings or [ok("sns.delivery", f"Signed messages{again}.")]


@dataclass(frozen=True, slots=True)
class _RetryPolicy:
    """Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html."""

    fields: dict[str, Any]

    @classmethod
    def read(cls, attributes: dict[str, str]) -> "_RetryPolicy":
        """The one in force, the topic's or the subscription's, as either form of the document tells it."""
        document = orjson.loads(attributes.get("EffectiveDeliveryPolicy") or "{}")
        policy = document.get("healthyRetryPolicy") or document.get("http", {}).get("defaultHealthyRetryPolicy")
        return cls(_DEFAULTS | (policy or {}))

    @property
    def seconds(self) -> float:
        """From the first try to the last, taking the pauses between the least and the longest as linear."""
        least, longest, retries = (self.fields[name] for name in _DEFAULTS)
        at_once, slow = self.fields.get("numNoDelayRetries", 0), self.fields.get("numMaxDelayRetries", 0)
        quick = self.fields.get("numMinDelayRetries", 0)
        growing = max(0, retries - at_once - quick - slow)
        return float(quick * least + growing * (least + longest) / 2 + slow * longest)
