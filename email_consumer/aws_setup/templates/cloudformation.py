"""The CloudFormation template. Kinds, properties and placeholders of the description are CloudFormation's already."""

from collections.abc import Mapping
from typing import Any

import orjson

from email_consumer.aws_setup.description import CONDITIONS, PARAMETERS, RESOURCES, Parameter, Resource
from email_consumer.aws_setup.placeholders import only_name, parts
from email_consumer.aws_setup.policies import Statement
from email_consumer.aws_setup.templates.outputs import OUTPUTS

_DKIM = range(1, 4)


def cloudformation() -> str:
    """The template as JSON."""
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What email_consumer has at AWS; generated, see docs/aws.md",
        "Parameters": {each.name: _parameter(each) for each in PARAMETERS},
        "Conditions": {name: {"Fn::Equals": [{"Ref": of}, value]} for name, (of, value) in CONDITIONS.items()},
        "Resources": {each.id: _resource(each) for each in RESOURCES},
        "Outputs": {
            each.name: {"Description": each.description, "Value": _value(each.value)} | _condition(each.when)
            for each in OUTPUTS
        }
        | _dkim_records(),
    }
    return orjson.dumps(template, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"Type": "String", "Description": parameter.description}
    if parameter.default is not None:
        found["Default"] = parameter.default
    if parameter.allowed:
        found["AllowedValues"] = list(parameter.allowed)
    return found


def _resource(resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = {"Type": resource.kind} | _condition(resource.when)
    if resource.after:
        found["DependsOn"] = list(resource.after)
    return found | {"Properties": _value(resource.properties)}


def _condition(name: str) -> dict[str, str]:
    return {"Condition": name} if name else {}


def _value(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case str():
            return _text(value)
        case Statement():
            return {"Fn::If": [value.when, _value(value.document), {"Ref": "AWS::NoValue"}]}
        case list():
            return [_value(each) for each in value]
        case Mapping():
            return {key: _value(each) for key, each in value.items()}
        case _:
            return value


def _text(text: str) -> object:
    name = only_name(text)
    if name is None:
        return {"Fn::Sub": text} if any(is_name for _, is_name in parts(text)) else text
    resource, _, attribute = name.partition(".")
    return {"Fn::GetAtt": [resource, attribute]} if attribute else {"Ref": name}


def _dkim_records() -> dict[str, Any]:
    return {
        f"DkimRecord{number}": {
            "Description": "A record for the DNS",
            "Condition": "CreatesIdentity",
            "Value": {
                "Fn::Sub": f"${{Identity.DkimDNSTokenName{number}}} CNAME ${{Identity.DkimDNSTokenValue{number}}}"
            },
        }
        for number in _DKIM
    }
