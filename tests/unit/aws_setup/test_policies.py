"""The policies allow what the program calls, and no more: another call belongs into aws_setup/policies.py."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name

from email_consumer.aws.errors import permission
from email_consumer.aws_setup.policies import DAEMON, DOCTOR, Statement

_PACKAGE = Path(__file__).parents[3] / "email_consumer"
_SERVICES = ("sesv2", "sns", "sqs")
_OF_NATS = {"publish", "subscribe", "unsubscribe"}
"""Methods of NATS's client that SNS's has too."""
_BATCHES = {"sqs:DeleteMessageBatch", "sqs:ChangeMessageVisibilityBatch", "sqs:SendMessageBatch"}
"""Allowed by the actions without the word."""


def _operations() -> dict[str, str]:
    """Methods of botocore's clients, with the permission of each."""
    session = botocore.session.get_session()
    return {
        xform_name(name): permission(service, xform_name(name))
        for service in _SERVICES
        for name in session.get_service_model(service).operation_names
        if xform_name(name) not in _OF_NATS
    }


def _called(files: Iterable[Path]) -> set[str]:
    """What a file calls on a client, or names in a call."""
    known = _operations()
    found = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                names = [each.value for each in node.args if isinstance(each, ast.Constant)]
                names += [node.func.attr] if isinstance(node.func, ast.Attribute) else []
                found |= {known[name] for name in names if name in known}
    return {each.removesuffix("Batch") if each in _BATCHES else each for each in found}


def _allowed(policy: Mapping[str, Any]) -> set[str]:
    return set(_actions(policy["Statement"]))


def _actions(statements: Iterable[Any]) -> Iterator[str]:
    for each in statements:
        yield from (each.document if isinstance(each, Statement) else each)["Action"]


def test_the_daemon() -> None:
    others = {_PACKAGE / folder for folder in ("doctor", "aws_setup", "cli")}
    files = [path for path in _PACKAGE.rglob("*.py") if not others & set(path.parents)]
    sent = {"ses:SendEmail"}  # a request made by hand
    assert _called(files) | sent == _allowed(DAEMON)


def test_doctor() -> None:
    assert _called((_PACKAGE / "doctor").glob("*.py")) | {"sqs:GetQueueAttributes"} == _allowed(DOCTOR)
