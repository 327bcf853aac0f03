"""The program reads the time through functions of `time` that a test can replace.

The commands (`cli/`, `doctor/`, `local/`) run beside the program and may read it as they like.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).parents[2] / "email_consumer"
_COMMANDS = ("cli", "doctor", "local")
_ALLOWED = {"time", "monotonic", "gmtime", "strftime", "clock_gettime", "CLOCK_BOOTTIME", "CLOCK_MONOTONIC"}
_IMPORTED_NAME = (
    "write `import time` and `time.monotonic()`: an imported name stays what it was when a test replaces it"
)
_OTHER_CLOCK = "use `time.time()` or `time.monotonic()`: tests replace no other clock"
_NOW = "write `datetime.fromtimestamp(time.time(), UTC)`: tests can't replace the clock inside `datetime`"
_DEFAULT = "default to None and read `time.monotonic` in the body: a default stays what it was when a test replaces it"

_CACHE = "pass `timer=time.monotonic`: cachetools imported its own when it was loaded"


def violations(source: str) -> Iterator[tuple[int, str]]:
    """Lines that read the time in a way that a test can't replace, and what to write instead."""
    clock = "time" if re.search(r"^import time$", source, re.MULTILINE) else None
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module="time"):
                yield node.lineno, _IMPORTED_NAME
            case ast.Attribute(ast.Name(module), name) if module == clock and name not in _ALLOWED:
                yield node.lineno, _OTHER_CLOCK
            case ast.Attribute(ast.Name("datetime" | "date"), "now" | "utcnow" | "today"):
                yield node.lineno, _NOW
            case ast.Call(ast.Name("TTLCache"), _, keywords) if not any(each.arg == "timer" for each in keywords):
                yield node.lineno, _CACHE
            case ast.arguments():
                for default in [*node.defaults, *filter(None, node.kw_defaults)]:
                    if isinstance(default, ast.Attribute) and ast.unparse(default.value) == "time":
                        yield default.lineno, _DEFAULT


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from time import monotonic", [_IMPORTED_NAME]),
        ("import time\nbegan = time.perf_counter()", [_OTHER_CLOCK]),
        ("def has_time(time: datetime): return time.hour", []),
        ("at = datetime.now(UTC)", [_NOW]),
        ("def wait(clock=time.monotonic): ...", [_DEFAULT]),
        ("def wait(*, clock=time.monotonic): ...", [_DEFAULT]),
        ("seen = TTLCache(100, 60)", [_CACHE]),
        ("seen = TTLCache(100, 60, timer=time.monotonic)", []),
        ("import time\nbegan, at = time.monotonic(), datetime.fromtimestamp(time.time(), UTC)", []),
    ],
)
def test_what_is_found(source: str, found: list[str]) -> None:
    assert [reason for _, reason in violations(source)] == found


def test_the_program_reads_the_time_only_where_a_test_can_replace_it() -> None:
    paths = [path for path in _PACKAGE.rglob("*.py") if path.relative_to(_PACKAGE).parts[0] not in _COMMANDS]
    found = [
        f"{path.relative_to(_PACKAGE.parent)}:{line}: {reason}"
        for path in sorted(paths)
        for line, reason in violations(path.read_text())
    ]
    assert found == []
