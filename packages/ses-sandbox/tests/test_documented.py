"""The README has each switch of the sandbox, and no other."""

import inspect
import re
from pathlib import Path
from typing import get_args

import ses_sandbox.control.account_routes as account
import ses_sandbox.control.event_routes as events
import ses_sandbox.control.fault_routes as faults
import ses_sandbox.control.message_routes as messages
import ses_sandbox.control.resource_routes as resources
from ses_sandbox.faults import FaultScript

_TEXT = (Path(__file__).parents[1] / "README.md").read_text()


def test_each_route_is_documented() -> None:
    sources = "".join(inspect.getsource(module) for module in (account, events, faults, messages, resources))
    routes = re.findall(r'web\.(get|put|post|delete)\(r?"([^"]+)"', sources)
    unpatterned = re.compile(r":(?:[^{}]|\{[^}]*\})*")  # a pattern may have braces of its own
    written = {f"{method.upper()} {unpatterned.sub('', path)}" for method, path in routes}
    assert written == set(re.findall(r"`((?:GET|PUT|POST|DELETE) /[^`]*)`", _TEXT))
    assert len(written) > 20


def test_each_action_is_documented() -> None:
    actions = get_args(FaultScript.model_fields["action"].annotation)
    kinds = {kind for action in actions for kind in get_args(action.model_fields["kind"].annotation)}
    table = _TEXT.partition("| `action.kind` |")[2].partition("\n\n")[0]
    assert kinds == set(re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:])))


def test_each_setting_is_documented() -> None:
    fields = {*events.EventsChange.model_fields, *account.AccountChange.model_fields, *FaultScript.model_fields}
    assert [name for name in fields if f"`{name}`" not in _TEXT] == []
