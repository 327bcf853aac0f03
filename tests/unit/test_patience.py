"""A test that a busy machine can fail says nothing: none of them judges a clock, or waits less than a good while."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VIRTUAL = ROOT / "tests" / "simulation"
"""Its time is virtual: a slow machine changes nothing there."""
FOLDERS = [ROOT / "tests", *ROOT.glob("packages/*/tests")]
_LEAST = 60
"""Seconds; `tests.waiting` has more, and most tests that wait use that."""
_CLOCKS = {"monotonic", "perf_counter", "process_time", "time"}


def hasty(source: str) -> Iterator[int]:
    """Lines with a wait of few seconds, or with a length of time that has to be below something."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(ast.Attribute(ast.Name("asyncio"), "timeout"), [ast.Constant(int() | float() as seconds)]):
                if seconds < _LEAST:
                    yield node.lineno
            case ast.Call(
                ast.Attribute(ast.Name("asyncio"), "wait_for"), [_, ast.Constant(int() | float() as seconds)]
            ):
                if seconds < _LEAST:
                    yield node.lineno
            case ast.Compare(left, ops, comparators):
                operands = pairwise([left, *comparators])
                if any(_too_long(pair, op) for pair, op in zip(operands, ops, strict=True)):
                    yield node.lineno


def _too_long(pair: tuple[ast.expr, ast.expr], op: ast.cmpop) -> bool:
    match pair, op:
        case ((ast.BinOp(ast.Call(ast.Attribute(attr=clock)), ast.Sub()), _), ast.Lt() | ast.LtE()):
            return clock in _CLOCKS
        case ((_, ast.BinOp(ast.Call(ast.Attribute(attr=clock)), ast.Sub())), ast.Gt() | ast.GtE()):
            return clock in _CLOCKS
    return False


HASTY = [
    "assert time.monotonic() - began < 2",
    "assert 0 <= loop.time() - began < 2",
    "assert 2 > time.perf_counter() - began",
    "assert await asyncio.wait_for(lost, 10)",
    "async with asyncio.timeout(5), changed: ...",
]
PATIENT = [
    "assert time.time() - began >= 1.4",
    "assert await asyncio.wait_for(lost, PATIENCE)",
    "async with asyncio.timeout(300), changed: ...",
]


@pytest.mark.parametrize("line", [*HASTY, *PATIENT])
def test_what_is_hasty(line: str) -> None:
    assert list(hasty(f"async def test():\n {line}")) == ([2] if line in HASTY else [])


def test_no_test_is_hasty() -> None:
    paths = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
    real = [path for path in paths if VIRTUAL not in path.parents]
    found = [f"{path.relative_to(ROOT)}:{line}" for path in real for line in hasty(path.read_text())]
    assert found == []
