"""How each kind of resource is read, made, given what it lacks, and removed."""

from collections.abc import Mapping

from email_consumer.aws_setup.kinds.iam import ManagedPolicy
from email_consumer.aws_setup.kinds.kind import Kind
from email_consumer.aws_setup.kinds.ses import ConfigurationSet, EventDestination, Identity
from email_consumer.aws_setup.kinds.sns import Subscription, Topic, TopicPolicy
from email_consumer.aws_setup.kinds.sqs import Queue, QueuePolicy
from email_consumer.aws_setup.kinds.tenant import Tenant

KINDS: Mapping[str, Kind] = {
    "AWS::SES::EmailIdentity": Identity(),
    "AWS::SES::ConfigurationSet": ConfigurationSet(),
    "AWS::SES::ConfigurationSetEventDestination": EventDestination(),
    "AWS::SNS::Topic": Topic(),
    "AWS::SNS::TopicPolicy": TopicPolicy(),
    "AWS::SNS::Subscription": Subscription(),
    "AWS::SQS::Queue": Queue(),
    "AWS::SQS::QueuePolicy": QueuePolicy(),
    "AWS::IAM::ManagedPolicy": ManagedPolicy(),
    "AWS::SES::Tenant": Tenant(),
}
