"""What an installation has at AWS, as data. Kinds and properties have CloudFormation's names.

A text holds placeholders in CloudFormation's form: `${Domain}` is a parameter, `${AWS::Region}` what AWS knows,
`${EventsTopic}` and `${EventsQueue.Arn}` other resources. `plan`, `apply` and `destroy` fill them in; the templates in
deploy/aws are this description in two other languages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from email_consumer.aws_setup.policies import CONFIGURATION_SET, DAEMON, DOCTOR, IDENTITY, queue_policy, topic_policy

Properties = Mapping[str, Any]

EVENT_TYPES = ("SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT", "DELIVERY_DELAY", "RENDERING_FAILURE")
"""SEND settles mail in doubt. OPEN and CLICK are left out: with them, SES rewrites the mail."""
_DESTINATION = "email-consumer"
_RETENTION = 1_209_600
"""Seconds: 14 days, the longest that SQS has."""
_RECEIVES = 1_000
"""SQS counts receives after a throttle or a restart as well; how often mail is tried is up to MAX_ATTEMPTS."""
_PATIENT = {
    "healthyRetryPolicy": {"minDelayTarget": 20, "maxDelayTarget": 120, "numRetries": 45, "backoffFunction": "linear"}
}
"""About 53 minutes; SNS allows an hour."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What differs between installations."""

    name: str
    description: str
    default: str | None
    """None: it has to be given."""
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource, with what it should have at least."""

    id: str
    """Its name in this description and in the CloudFormation template."""
    kind: str
    properties: Properties
    when: str = ""
    """The condition under which it is wanted; always, if empty."""
    parent: str = ""
    """The resource that this one is a part of: it has no tags, and goes with its parent."""
    after: tuple[str, ...] = ()
    """Resources that must be there first though no placeholder names them."""


PARAMETERS = (
    Parameter("Name", "Begins the names of policies, and is the value of the tag", "email-consumer"),
    Parameter("Domain", "The domain to send from", None),
    Parameter("MailFromDomain", "A subdomain for the return path, such as bounce.example.com", None),
    Parameter("CreateIdentity", "Whether the domain is new to SES in this region", "true", ("true", "false")),
    Parameter("ConfigurationSetName", "The setting CONFIGURATION_SET", "email-consumer"),
    Parameter("TopicName", "The topic that SES publishes events to", "email-consumer-events"),
    Parameter("Events", "How events arrive: posted by SNS, or through a queue", "https", ("https", "sqs")),
    Parameter("EndpointUrl", "With https: SERVER_URL and /v1/events/results", ""),
    Parameter("EventsQueueName", "With sqs: the queue of SNS_EVENTS_QUEUE_URL", "email-consumer-events"),
    Parameter("MailQueues", "Whether SOURCE names sqs", "false", ("true", "false")),
    Parameter("MailQueueName", "The queue of SQS_QUEUE_URL", "email-consumer-mail"),
    Parameter("TransactionalQueueName", "That of SQS_TRANSACTIONAL_QUEUE_URL", "email-consumer-transactional"),
    Parameter("SuppressionMirror", "The setting SUPPRESSION_MIRROR", "false", ("true", "false")),
)

CONDITIONS: Mapping[str, tuple[str, str]] = {
    "CreatesIdentity": ("CreateIdentity", "true"),
    "EventsOverHttps": ("Events", "https"),
    "EventsThroughSqs": ("Events", "sqs"),
    "MailFromSqs": ("MailQueues", "true"),
    "MirrorsSuppressions": ("SuppressionMirror", "true"),
}
"""Each condition: the parameter that decides, and the value that it has then."""


def _queue(name: str, dead_letters: str = "") -> Properties:
    redrive = {"deadLetterTargetArn": f"${{{dead_letters}.Arn}}", "maxReceiveCount": _RECEIVES}
    properties = {"QueueName": name, "MessageRetentionPeriod": _RETENTION}
    return properties | {"RedrivePolicy": redrive} if dead_letters else properties


RESOURCES = (
    Resource(
        "Identity",
        "AWS::SES::EmailIdentity",
        {
            "EmailIdentity": "${Domain}",
            "MailFromAttributes": {
                "MailFromDomain": "${MailFromDomain}",
                "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
            },
        },
        when="CreatesIdentity",
    ),
    Resource("ConfigurationSet", "AWS::SES::ConfigurationSet", {"Name": "${ConfigurationSetName}"}),
    Resource("EventsTopic", "AWS::SNS::Topic", {"TopicName": "${TopicName}", "SignatureVersion": "2"}),
    Resource(
        "EventsTopicPolicy",
        "AWS::SNS::TopicPolicy",
        {"Topics": ["${EventsTopic}"], "PolicyDocument": topic_policy("EventsTopic")},
        parent="EventsTopic",
    ),
    Resource(
        "EventDestination",
        "AWS::SES::ConfigurationSetEventDestination",
        {
            "ConfigurationSetName": "${ConfigurationSet}",
            "EventDestination": {
                "Name": _DESTINATION,
                "Enabled": True,
                "MatchingEventTypes": list(EVENT_TYPES),
                "SnsDestination": {"TopicARN": "${EventsTopic}"},
            },
        },
        parent="ConfigurationSet",
        after=("EventsTopicPolicy",),  # SES looks whether it may publish
    ),
    Resource(
        "EndpointSubscription",
        "AWS::SNS::Subscription",
        {
            "TopicArn": "${EventsTopic}",
            "Protocol": "https",
            "Endpoint": "${EndpointUrl}",
            "DeliveryPolicy": _PATIENT,
        },
        when="EventsOverHttps",
        parent="EventsTopic",
    ),
    Resource("EventsDeadLetters", "AWS::SQS::Queue", _queue("${EventsQueueName}-dead"), when="EventsThroughSqs"),
    Resource(
        "EventsQueue", "AWS::SQS::Queue", _queue("${EventsQueueName}", "EventsDeadLetters"), when="EventsThroughSqs"
    ),
    Resource(
        "EventsQueuePolicy",
        "AWS::SQS::QueuePolicy",
        {"Queues": ["${EventsQueue}"], "PolicyDocument": queue_policy("EventsQueue", "EventsTopic")},
        when="EventsThroughSqs",
        parent="EventsQueue",
    ),
    Resource(
        "QueueSubscription",
        "AWS::SNS::Subscription",
        {"TopicArn": "${EventsTopic}", "Protocol": "sqs", "Endpoint": "${EventsQueue.Arn}"},
        when="EventsThroughSqs",
        parent="EventsTopic",
        after=("EventsQueuePolicy",),
    ),
    Resource("MailDeadLetters", "AWS::SQS::Queue", _queue("${MailQueueName}-dead"), when="MailFromSqs"),
    Resource("MailQueue", "AWS::SQS::Queue", _queue("${MailQueueName}", "MailDeadLetters"), when="MailFromSqs"),
    Resource(
        "TransactionalDeadLetters", "AWS::SQS::Queue", _queue("${TransactionalQueueName}-dead"), when="MailFromSqs"
    ),
    Resource(
        "TransactionalQueue",
        "AWS::SQS::Queue",
        _queue("${TransactionalQueueName}", "TransactionalDeadLetters"),
        when="MailFromSqs",
    ),
    Resource(
        "DaemonPolicy",
        "AWS::IAM::ManagedPolicy",
        {"ManagedPolicyName": "${Name}-daemon", "PolicyDocument": DAEMON},
    ),
    Resource(
        "DoctorPolicy",
        "AWS::IAM::ManagedPolicy",
        {"ManagedPolicyName": "${Name}-doctor", "PolicyDocument": DOCTOR},
    ),
)
"""In the order of making; removing goes the other way."""


def tenant(name: str) -> Resource:
    """A tenant that may send from the domain. How many there are differs, so the templates, which can't loop, have none."""
    return Resource(
        f"Tenant {name}",
        "AWS::SES::Tenant",
        {
            "TenantName": name,
            "ResourceAssociations": [{"ResourceArn": IDENTITY}, {"ResourceArn": CONFIGURATION_SET}],
        },
    )
