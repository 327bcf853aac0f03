"""Each operation says which scope a key needs, or that it is open to all."""

import ast
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = Path(__file__).parents[3] / "email_consumer"


def _operations() -> Iterator[tuple[str, set[str]]]:
    """The place of each operation, and what it says of itself."""
    for path in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef)):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "operation":
                    yield f"{path.relative_to(_PACKAGE)}:{node.name}", {str(each.arg) for each in mark.keywords}


def test_no_operation_forgets_it() -> None:
    found = dict(_operations())
    assert len(found) > 60
    assert [place for place, said in found.items() if said.isdisjoint({"scope", "open_to_all"})] == []
