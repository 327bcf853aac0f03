"""Which modules are changed, and which tests are asked about them."""

from collections.abc import Iterator
from pathlib import Path

_PROGRAM = Path("email_consumer")
_ASKED = {
    "pipeline": ("tests/unit/pipeline", "tests/unit/core"),
    "ledgers": ("tests/unit/ledgers", "tests/integration/ledgers"),
    "scheduling": (
        "tests/unit/scheduling",
        "tests/integration/scheduling",
        "tests/integration/api/test_scheduler.py",
        "tests/integration/api/test_refused_mail.py",
        "tests/integration/ledgers/test_scheduling.py",
    ),
    "core/dead_letter_writer.py": ("tests/unit/pipeline",),
    "core/careful_reader.py": ("tests/unit/core",),
}
"""Where a fault loses mail or sends it twice, with the unit tests, and those that both ledgers have to pass."""


def modules(only: list[str]) -> Iterator[Path]:
    """The files that are changed; those alone whose path contains a text of `only`, if there is one."""
    for name in _ASKED:
        path = _PROGRAM / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if not only or any(text in file.as_posix() for text in only):
                yield file


def tests(files: list[Path]) -> list[str]:
    """The tests that are asked about these modules."""
    asked = (_ASKED[name] for name in _ASKED if any(file.is_relative_to(_PROGRAM / name) for file in files))
    return sorted({test for found in asked for test in found})
