"""The policies of the description: no more than the program calls, on what belongs to the installation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

_SES = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}"
IDENTITY = f"{_SES}:identity/${{Domain}}"
CONFIGURATION_SET = f"{_SES}:configuration-set/${{ConfigurationSetName}}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy, which is in it under a condition."""

    when: str
    document: Document


def _policy(*statements: Document | Statement) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(sid: str, actions: list[str], *resources: str) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": list(resources)}


def topic_policy(topic: str) -> Document:
    """SES may publish to it, for this account only."""
    return _policy(
        {
            "Sid": "EmailConsumerEvents",
            "Effect": "Allow",
            "Principal": {"Service": "ses.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": f"${{{topic}}}",
            "Condition": {"StringEquals": {"AWS:SourceAccount": "${AWS::AccountId}"}},
        }
    )


def queue_policy(queue: str, topic: str) -> Document:
    """SNS may put there what the topic gets."""
    return _policy(
        {
            "Sid": "EmailConsumerEvents",
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": f"${{{queue}.Arn}}",
            "Condition": {"ArnEquals": {"aws:SourceArn": f"${{{topic}}}"}},
        }
    )


_TAKE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
_MAIL = ("${MailQueue.Arn}", "${TransactionalQueue.Arn}")
_MAIL_DEAD = ("${MailDeadLetters.Arn}", "${TransactionalDeadLetters.Arn}")

DAEMON = _policy(
    _allow("SendMail", ["ses:SendEmail"], IDENTITY, CONFIGURATION_SET, f"{CONFIGURATION_SET}-*", f"{_SES}:tenant/*"),
    _allow("FollowTheLimits", ["ses:GetAccount"], "*"),
    _allow("ReadReputation", ["ses:ListReputationEntities", "ses:ListRecommendations"], "*"),
    Statement("EventsOverHttps", _allow("ConfirmSubscription", ["sns:ConfirmSubscription"], "${EventsTopic}")),
    Statement("EventsThroughSqs", _allow("TakeEvents", _TAKE, "${EventsQueue.Arn}")),
    Statement("MailFromSqs", _allow("TakeMail", [*_TAKE, "sqs:SendMessage"], *_MAIL)),
    Statement("MailFromSqs", _allow("KeepDeadLetters", ["sqs:SendMessage", "sqs:GetQueueUrl"], *_MAIL_DEAD)),
    Statement(
        "MirrorsSuppressions",
        _allow("MirrorSuppressions", ["ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"], "*"),
    ),
)
"""For the credentials of run, worker and sidecar."""

DOCTOR = _policy(
    _allow("ReadAccount", ["ses:GetAccount"], "*"),
    _allow("ReadIdentities", ["ses:GetEmailIdentity"], f"{_SES}:identity/*"),
    _allow(
        "ReadEventDestinations",
        ["ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations"],
        CONFIGURATION_SET,
    ),
    _allow(
        "ReadReputation",
        ["ses:ListTenants", "ses:ListTenantResources", "ses:ListReputationEntities", "ses:ListRecommendations"],
        "*",
    ),
    _allow("ReadSubscriptions", ["sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"], "${EventsTopic}"),
    Statement("EventsThroughSqs", _allow("CountEvents", ["sqs:GetQueueAttributes"], "${EventsQueue.Arn}")),
    Statement("MailFromSqs", _allow("CountMail", ["sqs:GetQueueAttributes"], *_MAIL)),
)
"""For the credentials that `doctor` runs with."""
