"""The templates in deploy/aws are those that the description makes, they are valid, and they say what `apply` does."""

import json
import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from email_consumer.aws_setup.description import PARAMETERS
from email_consumer.aws_setup.templates.__main__ import FILES
from email_consumer.aws_setup.templates.cloudformation import cloudformation
from email_consumer.aws_setup.values import Account, Values
from tests.conftest import MISSING

_TEMPLATES = Path(__file__).parents[3] / "deploy" / "aws"
_PLUGINS = Path("/opt/tf-plugins")
_ABSENT = object()


@pytest.mark.parametrize("name", FILES)
def test_it_is_what_the_description_makes(name: str) -> None:
    again = "run `.venv/bin/python -m email_consumer.aws_setup.templates`"
    assert (_TEMPLATES / name).read_text() == FILES[name](), again


def test_cloudformation_is_valid() -> None:
    command = Path(sys.executable).with_name("cfn-lint")
    checked = subprocess.run([command, _TEMPLATES / "cloudformation.json"], check=False, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "")


def _terraform(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Skips where there is no terraform, in CI too: no package index has it."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip(f"terraform {MISSING}")
    environ = os.environ | {"TF_CLI_CONFIG_FILE": os.devnull}
    command = [program, *arguments]
    return subprocess.run(command, check=False, cwd=directory, env=environ, capture_output=True, text=True)


def test_terraform_is_formatted() -> None:
    formatted = _terraform(_TEMPLATES / "terraform", "fmt", "-check", "-diff")
    assert (formatted.returncode, formatted.stdout) == (0, "")


def test_terraform_is_valid(tmp_path: Path) -> None:
    shutil.copy(_TEMPLATES / "terraform" / "main.tf", tmp_path)
    local = [f"-plugin-dir={_PLUGINS}"] if _PLUGINS.exists() else []
    if _terraform(tmp_path, "init", "-backend=false", "-input=false", *local).returncode:
        pytest.skip(f"the registry of terraform's providers, or hashicorp/aws in {_PLUGINS}, {MISSING}")
    checked = _terraform(tmp_path, "validate", "-no-color")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("events", "queues", "mirror"), list(product(("https", "sqs"), ("true", "false"), ("true", "false")))
)
def test_cloudformation_says_what_apply_does(events: str, queues: str, mirror: str) -> None:
    given = {"Domain": "example.com", "MailFromDomain": "bounce.example.com", "EndpointUrl": "https://m.example.com/"}
    choices = {"Events": events, "MailQueues": queues, "SuppressionMirror": mirror}
    parameters = {each.name: each.default or "" for each in PARAMETERS} | given | choices
    wanted = {each.id: each.properties for each in Values(Account("aws", "eu-west-1", "1234"), parameters).wanted()}
    template = json.loads(cloudformation())
    evaluation = _Evaluation(template, parameters)
    made = {
        name: evaluation.of(each["Properties"])
        for name, each in template["Resources"].items()
        if evaluation.holds(each.get("Condition"))
    }
    known = {
        name: {key: each for key, each in properties.items() if key != "Arn"} for name, properties in wanted.items()
    }
    assert made == known


class _Evaluation:
    """What CloudFormation would make of a template."""

    def __init__(self, template: dict[str, Any], parameters: dict[str, str]) -> None:
        self._template = template
        pseudo = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "1234"}
        self._texts = parameters | pseudo | {"AWS::NoValue": _ABSENT}

    def holds(self, condition: str | None) -> bool:
        if condition is None:
            return True
        left, right = self._template["Conditions"][condition]["Fn::Equals"]
        return bool(self.of(left) == right)

    def of(self, value: Any) -> Any:
        match value:
            case {"Ref": name}:
                return self._reference(name)
            case {"Fn::GetAtt": [name, "Arn"]}:
                return f"arn:aws:sqs:eu-west-1:1234:{self._name(name, 'QueueName')}"
            case {"Fn::Sub": text}:
                for name, filled in self._texts.items():
                    text = text.replace(f"${{{name}}}", str(filled))
                return text
            case {"Fn::If": [condition, then, otherwise]}:
                return self.of(then if self.holds(condition) else otherwise)
            case dict():
                return {key: self.of(each) for key, each in value.items()}
            case list():
                return [each for each in map(self.of, value) if each is not _ABSENT]
            case _:
                return value

    def _reference(self, name: str) -> Any:
        if name in self._texts:
            return self._texts[name]
        match self._template["Resources"][name]["Type"]:
            case "AWS::SNS::Topic":
                return f"arn:aws:sns:eu-west-1:1234:{self._name(name, 'TopicName')}"
            case "AWS::SQS::Queue":
                return self._name(name, "QueueName")  # of its URL, which `apply` asks for by name
            case _:
                return self._name(name, "Name")

    def _name(self, resource: str, key: str) -> Any:
        return self.of(self._template["Resources"][resource]["Properties"][key])
