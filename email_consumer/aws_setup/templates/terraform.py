"""The Terraform module."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from email_consumer.aws_setup.description import CONDITIONS, PARAMETERS, RESOURCES, Parameter, Properties, Resource
from email_consumer.aws_setup.placeholders import only_name, parts
from email_consumer.aws_setup.policies import Statement
from email_consumer.aws_setup.templates.hcl import Block, Call, Choice, Raw, document
from email_consumer.aws_setup.templates.outputs import OUTPUTS

_PSEUDO = {
    "AWS::Partition": "data.aws_partition.current.partition",
    "AWS::Region": "data.aws_region.current.id",
    "AWS::AccountId": "data.aws_caller_identity.current.account_id",
}
_TYPES = {
    "AWS::SES::EmailIdentity": ("aws_sesv2_email_identity", "email_identity"),
    "AWS::SES::ConfigurationSet": ("aws_sesv2_configuration_set", "configuration_set_name"),
    "AWS::SES::ConfigurationSetEventDestination": ("aws_sesv2_configuration_set_event_destination", "id"),
    "AWS::SNS::Topic": ("aws_sns_topic", "arn"),
    "AWS::SNS::TopicPolicy": ("aws_sns_topic_policy", "id"),
    "AWS::SNS::Subscription": ("aws_sns_topic_subscription", "arn"),
    "AWS::SQS::Queue": ("aws_sqs_queue", "url"),
    "AWS::SQS::QueuePolicy": ("aws_sqs_queue_policy", "id"),
    "AWS::IAM::ManagedPolicy": ("aws_iam_policy", "arn"),
}
"""Terraform's type of each kind, and the attribute that CloudFormation's Ref returns."""
_BY_ID = {resource.id: resource for resource in RESOURCES}
_PARAMETERS = {parameter.name: parameter for parameter in PARAMETERS}


def terraform() -> str:
    """The module in one file."""
    head = "# What email_consumer has at AWS; generated, see docs/aws.md.\n\n"
    data = [Block("data", (each, "current")) for each in ("aws_caller_identity", "aws_partition", "aws_region")]
    blocks = [
        Block("terraform", (), {"required_version": ">= 1.3"}, (_providers(),)),
        *(_variable(each) for each in PARAMETERS),
        Block("locals", (), {_snake(name): Raw(_condition(*of)) for name, of in CONDITIONS.items()}),
        *data,
        *(block for each in RESOURCES for block in _resource(each)),
        *(_output(each.name, each.description, each.value, each.when) for each in OUTPUTS),
        _dkim_tokens(),
    ]
    return head + document(blocks)


def _providers() -> Block:
    return Block("required_providers", (), {"aws": {"source": "hashicorp/aws", "version": ">= 5.75"}})


def _variable(parameter: Parameter) -> Block:
    boolean = parameter.allowed == ("true", "false")
    attributes: dict[str, Any] = {
        "description": parameter.description,
        "type": Raw("bool" if boolean else "string"),
    }
    if parameter.default is not None:
        attributes["default"] = Raw(parameter.default) if boolean else parameter.default
    validation: tuple[Block, ...] = ()
    if parameter.allowed and not boolean:
        name = _snake(parameter.name)
        choices = ", ".join(f'"{each}"' for each in parameter.allowed)
        rule = {
            "condition": Raw(f"contains([{choices}], var.{name})"),
            "error_message": f"{name} must be one of {', '.join(parameter.allowed)}.",
        }
        validation = (Block("validation", (), rule),)
    return Block("variable", (_snake(parameter.name),), attributes, validation)


def _condition(parameter: str, value: str) -> str:
    variable = f"var.{_snake(parameter)}"
    return variable if _PARAMETERS[parameter].allowed == ("true", "false") else f'{variable} == "{value}"'


def _resource(resource: Resource) -> list[Block]:
    build = _BUILDERS[resource.kind]
    counted = {"count": Raw(f"local.{_snake(resource.when)} ? 1 : 0")} if resource.when else {}
    after = [Raw(_address(_BY_ID[each])) for each in resource.after]
    blocks = build(resource, resource.properties)
    depends = {"depends_on": after} if after else {}
    return [
        Block("resource", block.labels, counted | dict(block.attributes) | depends, block.blocks) for block in blocks
    ]


def _identity(resource: Resource, properties: Properties) -> list[Block]:
    type_, name = _labels(resource)
    mail_from = properties["MailFromAttributes"]
    return [
        Block("", (type_, name), {"email_identity": _value(properties["EmailIdentity"])}),
        Block(
            "",
            (f"{type_}_mail_from_attributes", name),
            {
                "email_identity": Raw(f"{_address(resource)}[0].email_identity"),
                "mail_from_domain": _value(mail_from["MailFromDomain"]),
                "behavior_on_mx_failure": mail_from["BehaviorOnMxFailure"],
            },
        ),
    ]


def _configuration_set(resource: Resource, properties: Properties) -> list[Block]:
    return [Block("", _labels(resource), {"configuration_set_name": _value(properties["Name"])})]


def _event_destination(resource: Resource, properties: Properties) -> list[Block]:
    destination = properties["EventDestination"]
    attributes = {
        "configuration_set_name": _value(properties["ConfigurationSetName"]),
        "event_destination_name": destination["Name"],
    }
    inner = {"enabled": destination["Enabled"], "matching_event_types": destination["MatchingEventTypes"]}
    topic = Block("sns_destination", (), {"topic_arn": _value(destination["SnsDestination"]["TopicARN"])})
    return [Block("", _labels(resource), attributes, (Block("event_destination", (), inner, (topic,)),))]


def _topic(resource: Resource, properties: Properties) -> list[Block]:
    attributes = {
        "name": _value(properties["TopicName"]),
        "signature_version": int(properties["SignatureVersion"]),
    }
    return [Block("", _labels(resource), attributes)]


def _topic_policy(resource: Resource, properties: Properties) -> list[Block]:
    attributes = {"arn": _value(properties["Topics"][0]), "policy": _json(properties["PolicyDocument"])}
    return [Block("", _labels(resource), attributes)]


def _subscription(resource: Resource, properties: Properties) -> list[Block]:
    names = {"TopicArn": "topic_arn", "Protocol": "protocol", "Endpoint": "endpoint"}
    attributes = {theirs: _value(properties[ours]) for ours, theirs in names.items()}
    if "DeliveryPolicy" in properties:
        attributes["delivery_policy"] = _json(properties["DeliveryPolicy"])
    return [Block("", _labels(resource), attributes)]


def _queue(resource: Resource, properties: Properties) -> list[Block]:
    attributes = {
        "name": _value(properties["QueueName"]),
        "message_retention_seconds": properties["MessageRetentionPeriod"],
    }
    if "RedrivePolicy" in properties:
        attributes["redrive_policy"] = _json(properties["RedrivePolicy"])
    return [Block("", _labels(resource), attributes)]


def _queue_policy(resource: Resource, properties: Properties) -> list[Block]:
    attributes = {"queue_url": _value(properties["Queues"][0]), "policy": _json(properties["PolicyDocument"])}
    return [Block("", _labels(resource), attributes)]


def _policy(resource: Resource, properties: Properties) -> list[Block]:
    attributes = {
        "name": _value(properties["ManagedPolicyName"]),
        "policy": _json(properties["PolicyDocument"]),
    }
    return [Block("", _labels(resource), attributes)]


_BUILDERS: Mapping[str, Callable[[Resource, Properties], list[Block]]] = {
    "AWS::SES::EmailIdentity": _identity,
    "AWS::SES::ConfigurationSet": _configuration_set,
    "AWS::SES::ConfigurationSetEventDestination": _event_destination,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::IAM::ManagedPolicy": _policy,
}


def _output(name: str, description: str, value: str, when: str) -> Block:
    text = _value(value)
    if when:
        text = Raw(f"local.{_snake(when)} ? {text.text} : null")
    return Block("output", (_snake(name),), {"description": description, "value": text})


def _dkim_tokens() -> Block:
    identity = _address(_BY_ID["Identity"])
    tokens = f"one({identity}[*].dkim_signing_attributes[0].tokens)"
    description = "For the DNS: <token>._domainkey.<domain> CNAME <token>.dkim.amazonses.com"
    return Block("output", ("dkim_tokens",), {"description": description, "value": Raw(tokens)})


def _labels(resource: Resource) -> tuple[str, str]:
    return _TYPES[resource.kind][0], _snake(resource.id)


def _address(resource: Resource) -> str:
    return ".".join(_labels(resource))


def _json(value: Any) -> Call:  # noqa: ANN401 - JSON
    return Call("jsonencode", [_value(value)])


def _value(value: Any) -> Any:  # noqa: ANN401 - JSON in, expressions out
    match value:
        case str():
            return _text(value)
        case list() if any(isinstance(each, Statement) for each in value):
            always = [_value(each) for each in value if not isinstance(each, Statement)]
            choices = [
                Choice(f"local.{_snake(each.when)}", [_value(each.document)])
                for each in value
                if isinstance(each, Statement)
            ]
            return Call("concat", [always, *choices])
        case list():
            return [_value(each) for each in value]
        case Mapping():
            return {key: _value(each) for key, each in value.items()}
        case _:
            return value


def _text(text: str) -> str | Raw:
    if (name := only_name(text)) is not None:
        return Raw(_reference(name))
    return "".join(f"${{{_reference(part)}}}" if is_name else part for part, is_name in parts(text))


def _reference(name: str) -> str:
    if name in _PSEUDO:
        return _PSEUDO[name]
    if name in _PARAMETERS:
        return f"var.{_snake(name)}"
    id_, _, attribute = name.partition(".")
    resource = _BY_ID[id_]
    place = "[0]" if resource.when else ""
    return f"{_address(resource)}{place}.{attribute.lower() or _TYPES[resource.kind][1]}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
