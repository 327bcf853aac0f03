"""The description with its placeholders filled in, for one installation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from email_consumer.aws_setup.description import CONDITIONS, RESOURCES, Resource, tenant
from email_consumer.aws_setup.placeholders import parts
from email_consumer.aws_setup.policies import Statement

TAG = "email-consumer"
"""The key of the tag on everything that `apply` makes; its value is the installation's name."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where everything is."""

    partition: str
    """Such as `aws`, or `aws-cn`."""
    region: str
    number: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource of this installation."""

    resource: Resource
    properties: dict[str, Any]

    @property
    def id(self) -> str:
        return self.resource.id


@dataclass(frozen=True, slots=True)
class Values:
    """The parameters of the description for one installation."""

    account: Account
    parameters: Mapping[str, str]
    protocol: str = "https"
    """That SNS posts with; `http` where a stand-in does."""
    tenants: tuple[str, ...] = ()
    all_conditions: bool = False

    @property
    def tags(self) -> dict[str, str]:
        """What marks a resource as made by this installation."""
        return {TAG: self.parameters["Name"]}

    def unconditionally(self) -> "Values":
        """With everything that any choice of parameters would have made."""
        return replace(self, all_conditions=True)

    def holds(self, condition: str) -> bool:
        """Whether a condition of the description is met."""
        if not condition or self.all_conditions:
            return True
        parameter, value = CONDITIONS[condition]
        return self.parameters[parameter] == value

    def wanted(self) -> list[Wanted]:
        """All resources, in the order of making."""
        texts = self._texts()
        return [
            Wanted(each, self._properties(each, texts))
            for each in (*RESOURCES, *map(tenant, self.tenants))
            if self.holds(each.when)
        ]

    def _properties(self, resource: Resource, texts: Mapping[str, str]) -> dict[str, Any]:
        """Filled in, with the ARN of what is asked for by it."""
        properties: dict[str, Any] = self._filled(resource.properties, texts)
        if properties.get("Protocol") == "https":
            properties["Protocol"] = self.protocol
        if arn := self._arn(resource, properties):
            properties["Arn"] = arn
        return properties

    def _arn(self, resource: Resource, properties: Mapping[str, Any]) -> str | None:
        """Of what is asked for by its ARN."""
        partition, region, number = self.account.partition, self.account.region, self.account.number
        match resource.kind:
            case "AWS::SES::EmailIdentity":
                return f"arn:{partition}:ses:{region}:{number}:identity/{properties['EmailIdentity']}"
            case "AWS::SES::ConfigurationSet":
                return f"arn:{partition}:ses:{region}:{number}:configuration-set/{properties['Name']}"
            case "AWS::SNS::Topic":
                return f"arn:{partition}:sns:{region}:{number}:{properties['TopicName']}"
            case "AWS::IAM::ManagedPolicy":
                return f"arn:{partition}:iam::{number}:policy/{properties['ManagedPolicyName']}"
            case _:
                return None

    def _texts(self) -> dict[str, str]:
        """What each placeholder stands for."""
        account = self.account
        texts = dict(self.parameters) | {
            "AWS::Partition": account.partition,
            "AWS::Region": account.region,
            "AWS::AccountId": account.number,
        }
        place = f"{account.region}:{account.number}"
        for resource in RESOURCES:
            match resource.kind:
                case "AWS::SNS::Topic":
                    name = self._filled(resource.properties["TopicName"], texts)
                    texts[resource.id] = f"arn:{account.partition}:sns:{place}:{name}"
                case "AWS::SQS::Queue":
                    name = self._filled(resource.properties["QueueName"], texts)
                    texts[resource.id] = name
                    texts[f"{resource.id}.Arn"] = f"arn:{account.partition}:sqs:{place}:{name}"
                case "AWS::SES::ConfigurationSet":
                    texts[resource.id] = self._filled(resource.properties["Name"], texts)
        return texts

    def _filled(self, value: Any, texts: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        match value:
            case str():
                return "".join(texts[part] if is_name else part for part, is_name in parts(value))
            case Statement():
                return self._filled(value.document, texts)
            case list():
                kept = [each for each in value if not isinstance(each, Statement) or self.holds(each.when)]
                return [self._filled(each, texts) for each in kept]
            case Mapping():
                return {key: self._filled(each, texts) for key, each in value.items()}
            case _:
                return value
