"""What others may have at AWS already under the names that we would take."""

import json
from collections.abc import Awaitable, Callable

from email_consumer.aws_setup.kinds import KINDS
from email_consumer.aws_setup.values import TAG, Values
from tests.integration.aws_setup.cloud import Cloud

OTHERS = {TAG: "another"}
"""The tag of another installation."""
Collision = Callable[[Cloud, Values], Awaitable[None]]

goes_on: dict[str, Collision] = {}
"""With these, `apply` uses what is there as it is."""
stops: dict[str, Collision] = {}
"""With these, `apply` changes nothing."""


def _case(cases: dict[str, Collision]) -> Callable[[Collision], Collision]:
    def add(case: Collision) -> Collision:
        cases[case.__name__] = case
        return case

    return add


async def make(cloud: Cloud, values: Values, *ids: str, tags: dict[str, str] | None = None, **changed: object) -> None:
    """Make resources of the description as others might; `changed` overrides properties."""
    for wanted in values.wanted():
        if wanted.id in ids:
            kind = KINDS[wanted.resource.kind]
            await kind.make(cloud.aws, wanted.properties | changed, tags or {})


def _policy(action: str) -> dict[str, object]:
    statement = {"Sid": "EmailConsumerEvents", "Effect": "Allow", "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


async def _destination(cloud: Cloud, *, topic: str = "shop-topic", enabled: bool = True, types: str = "SEND") -> None:
    arn = f"arn:aws:sns:eu-west-1:000000000000:{topic}"
    await cloud.aws.call(
        "sesv2",
        "create_configuration_set_event_destination",
        ConfigurationSetName="shop-set",
        EventDestinationName="email-consumer",
        EventDestination={"Enabled": enabled, "MatchingEventTypes": [types], "SnsDestination": {"TopicArn": arn}},
    )


@_case(goes_on)
async def a_domain_without_mail_from(cloud: Cloud, _values: Values) -> None:
    await cloud.aws.call("sesv2", "create_email_identity", EmailIdentity="example.com")


@_case(goes_on)
async def a_domain_with_another_mail_from(cloud: Cloud, values: Values) -> None:
    mail_from = {"MailFromDomain": "mail.example.com", "BehaviorOnMxFailure": "REJECT_MESSAGE"}
    await make(cloud, values, "Identity", MailFromAttributes=mail_from)


@_case(goes_on)
async def a_domain_of_another_installation(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "Identity", tags=OTHERS)


@_case(goes_on)
async def a_dead_letter_queue(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "MailDeadLetters")


@_case(goes_on)
async def a_dead_letter_queue_of_short_retention(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "EventsDeadLetters", MessageRetentionPeriod=60)


@_case(goes_on)
async def a_mail_queue_with_other_dead_letters(cloud: Cloud, values: Values) -> None:
    await cloud.aws.call("sqs", "create_queue", QueueName="graveyard")
    target = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:graveyard", "maxReceiveCount": 3}
    await make(cloud, values, "MailQueue", RedrivePolicy=target)


@_case(goes_on)
async def a_topic_with_all_that_belongs_to_it(cloud: Cloud, values: Values) -> None:
    queue = ("EventsDeadLetters", "EventsQueue", "EventsQueuePolicy")
    await make(cloud, values, *queue, "EventsTopic", "EventsTopicPolicy", "QueueSubscription")


@_case(goes_on)
async def a_policy_that_allows_more(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "DaemonPolicy", PolicyDocument=_policy("*"))


@_case(stops)
async def a_configuration_set_without_destination(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "ConfigurationSet")


@_case(stops)
async def a_configuration_set_of_another_installation(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "ConfigurationSet", tags=OTHERS)


@_case(stops)
async def a_destination_of_our_name_to_another_topic(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "ConfigurationSet")
    await _destination(cloud, topic="others")


@_case(stops)
async def a_destination_of_our_name_with_fewer_types(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "ConfigurationSet")
    await _destination(cloud, types="BOUNCE")


@_case(stops)
async def a_destination_of_our_name_that_is_disabled(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "ConfigurationSet")
    await _destination(cloud, enabled=False)


@_case(stops)
async def a_topic_that_ses_may_not_publish_to(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "EventsTopic")


@_case(stops)
async def a_topic_of_another_installation(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "EventsTopic", "EventsTopicPolicy", tags=OTHERS)


@_case(stops)
async def a_topic_with_a_policy_of_others_under_our_sid(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "EventsTopic")
    arn = "arn:aws:sns:eu-west-1:000000000000:shop-topic"
    policy = json.dumps(_policy("sns:Subscribe"))
    await cloud.aws.call("sns", "set_topic_attributes", TopicArn=arn, AttributeName="Policy", AttributeValue=policy)


@_case(stops)
async def a_subscription_with_raw_delivery(cloud: Cloud, values: Values) -> None:
    await a_topic_with_all_that_belongs_to_it(cloud, values)
    arn = "arn:aws:sns:eu-west-1:000000000000:shop-topic"
    listed = await cloud.aws.call("sns", "list_subscriptions_by_topic", TopicArn=arn)
    await cloud.aws.call(
        "sns",
        "set_subscription_attributes",
        SubscriptionArn=listed["Subscriptions"][0]["SubscriptionArn"],
        AttributeName="RawMessageDelivery",
        AttributeValue="true",
    )


@_case(stops)
async def an_events_queue_that_the_topic_may_not_send_to(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "EventsDeadLetters", "EventsQueue")


@_case(stops)
async def a_mail_queue_without_dead_letters(cloud: Cloud, _values: Values) -> None:
    await cloud.aws.call("sqs", "create_queue", QueueName="shop-mail")


@_case(stops)
async def a_mail_queue_of_another_installation(cloud: Cloud, _values: Values) -> None:
    await cloud.aws.call("sqs", "create_queue", QueueName="shop-transactional", tags=OTHERS)


@_case(stops)
async def a_policy_that_allows_something_else(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "DaemonPolicy", PolicyDocument=_policy("s3:GetObject"))


@_case(stops)
async def a_policy_that_is_attached_to_a_user(cloud: Cloud, values: Values) -> None:
    await make(cloud, values, "DoctorPolicy", PolicyDocument=_policy("ses:GetAccount"))
    await cloud.aws.call("iam", "create_user", UserName="others")
    arn = "arn:aws:iam::000000000000:policy/shop-doctor"
    await cloud.aws.call("iam", "attach_user_policy", UserName="others", PolicyArn=arn)


@_case(stops)
async def a_tenant_of_others(cloud: Cloud, _values: Values) -> None:
    await cloud.aws.call("sesv2", "create_tenant", TenantName="acme")
