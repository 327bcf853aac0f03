"""docs/logs.md has each event of the code, with its level and fields, and no other."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_UNNAMED = {"exc_info"}


@dataclass
class Event:
    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    more: bool = False
    """Fields beyond those that the code names one by one."""


def _calls() -> Iterator[ast.Call]:
    for path in (_ROOT / "email_consumer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log."):
                yield node


def _names(argument: ast.expr) -> list[str]:
    """The event's name; both, where the code chooses between two."""
    constants = [node.value for node in ast.walk(argument) if isinstance(node, ast.Constant)]
    return [value for value in constants if isinstance(value, str) and "." in value]


def _written() -> dict[str, Event]:
    events: defaultdict[str, Event] = defaultdict(Event)
    for call in _calls():
        level = ast.unparse(call.func).removeprefix("_log.").replace("exception", "error")
        for name in _names(call.args[0]):
            events[name].levels.add(level)
            events[name].fields |= {keyword.arg for keyword in call.keywords if keyword.arg} - _UNNAMED
            events[name].more |= any(keyword.arg is None for keyword in call.keywords)
    return dict(events)


def _documented() -> dict[str, tuple[str, set[str]]]:
    text = (_ROOT / "docs" / "logs.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \|([^|]*)\|[^|]*\|$", text, re.MULTILINE)
    return {name: (level, {each.strip() for each in fields.split(",") if each.strip()}) for name, level, fields in rows}


def test_each_event_has_its_row_and_each_row_its_event() -> None:
    written, documented = _written(), _documented()
    assert len(written) > 50
    assert sorted(set(documented) ^ set(written)) == []
    for name, (level, fields) in documented.items():
        event = written[name]
        assert event.levels == {level}, name
        assert event.fields <= fields if event.more else event.fields == fields, name


def test_the_rows_are_in_order() -> None:
    assert list(_documented()) == sorted(_documented())


def test_every_line_is_named_by_a_literal() -> None:
    """A name that is put together at run time can be neither looked up nor alerted on."""
    assert [ast.unparse(call.args[0]) for call in _calls() if not _names(call.args[0])] == []
