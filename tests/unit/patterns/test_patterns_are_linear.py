"""No regular expression of ours can be made to run for longer than its input is long."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import email_consumer
import ses_sandbox
from email_consumer.ses.errors import _OF_TENANT
from tests.unit.patterns.ambiguity import superlinear

_PACKAGES = (email_consumer, ses_sandbox)
_FUNCTIONS = {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}
_FROM_THE_BEGINNING = {"match", "fullmatch"}

_CUT = "an error's text is cut to 500 characters when it is read"
_BOUNDED_BY_THE_CALLER = {
    "configuration set .*(not exist|paused|disabled)": _CUT,
    _OF_TENANT.pattern: _CUT,
}
"""Patterns that are not linear, and what keeps their input short."""


@dataclass(frozen=True, slots=True)
class Use:
    """A pattern where it stands in the source."""

    place: str
    pattern: str | bytes
    flags: int
    search: bool


def uses(module: ModuleType) -> Iterator[Use]:
    """Each call into `re`. A compiled pattern counts as searched for unless the module only ever matches with it."""
    source = Path(module.__file__ or "").read_text()
    if "import re\n" not in source:
        return
    tree = ast.parse(source)
    methods: dict[str, set[str]] = {}
    compiled: dict[ast.expr, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            methods.setdefault(node.value.id, set()).add(node.attr)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            compiled[node.value] = node.targets[0].id
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("re"), attr=function), args=[pattern, *_]) if (
                function in _FUNCTIONS
            ):
                used = methods.get(compiled.get(node, ""), set()) & _FUNCTIONS if function == "compile" else {function}
                search = not used or not used <= _FROM_THE_BEGINNING
                place = f"{module.__name__}:{node.lineno}"
                yield Use(place, _evaluated(pattern, module, tree), _flags(node), search)


class _KnownAtRunTime(ast.NodeTransformer):
    """Puts a letter for what is filled in at run time, which is escaped there, and so a literal as well."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.expr:
        names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
        return node if all(hasattr(self._module, name) for name in names) else ast.Constant("x")


def _evaluated(expression: ast.expr, module: ModuleType, tree: ast.Module) -> Any:
    if isinstance(expression, ast.Name) and not hasattr(module, expression.id):
        [expression] = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == expression.id
        ]
    whole = ast.fix_missing_locations(ast.Expression(_KnownAtRunTime(module).visit(expression)))
    return eval(compile(whole, "pattern", "eval"), {**vars(module), "translate": str, "glob": "x"})  # noqa: S307 - our own source


def _flags(call: ast.Call) -> int:
    flags = 0
    for argument in [*call.args[1:], *(keyword.value for keyword in call.keywords)]:
        for node in ast.walk(argument):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re":
                flags |= getattr(re, node.attr)
    return flags


@cache
def every_use() -> list[Use]:
    found: list[Use] = []
    for package in _PACKAGES:
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                found += uses(importlib.import_module(info.name))
    return found


def test_all_are_found() -> None:
    sources = [path.read_text() for package in _PACKAGES for path in Path(package.__path__[0]).rglob("*.py")]
    calls = sum(len(re.findall(rf"\bre\.(?:{'|'.join(_FUNCTIONS)})\(", source)) for source in sources)
    assert len(every_use()) == calls
    assert not any("from re import" in source for source in sources)


@pytest.mark.parametrize("use", every_use(), ids=lambda use: use.place)
def test_linear(use: Use) -> None:
    assert use.pattern in _BOUNDED_BY_THE_CALLER or not superlinear(use.pattern, use.flags, search=use.search)


def test_no_exception_outlives_its_pattern() -> None:
    assert set(_BOUNDED_BY_THE_CALLER) <= {use.pattern for use in every_use()}
