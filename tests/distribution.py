"""Which tests a process runs, and in which order: what is costly to start is started once, and long tests come first."""

from functools import cache
from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

_TOGETHER = ("tests/browser", "tests/integration/packaging")
"""All tests of such a folder run in one process, since they share a browser with a busy daemon, or wheels."""
_APART = "tests/acceptance"
"""Each of its tests runs where a process is free: they are long, and have nothing in common."""
_FLEET = "tests/acceptance/roles"
"""But here the tests of a file share a fleet."""
_ORDER = (
    "tests/browser",
    "tests/acceptance/test_fatal_delivery.py",
    "tests/acceptance/test_delivery.py",
    "tests/acceptance/test_fleet.py",
    "tests/acceptance/roles",
    "tests/acceptance/test_sqs.py",
    "tests/acceptance/test_crash_proof.py",
    "tests/acceptance/api/test_openapi.py",
    "tests/acceptance/api/test_crash.py",
    "tests/acceptance",
    "tests/integration/packaging",
    "tests/integration",
    "tests/upgrade",
    "tests/simulation",
)
"""From long to short, and then all others: in the end no process is left alone with a test that takes a minute."""


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist is untyped
    """pytest-xdist's, with units of our own."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """Tests with the same answer run in one process, one after the other."""
    file = nodeid.partition("::")[0]
    for folder in _TOGETHER:
        if _in(file, folder):
            return folder
    return nodeid if _in(file, _APART) and not _in(file, _FLEET) else file


@cache
def rank(file: str) -> int:
    """Where a test file stands in the order."""
    return next((place for place, path in enumerate(_ORDER) if _in(file, path)), len(_ORDER))


@cache
def _in(file: str, path: str) -> bool:
    return PurePosixPath(file).is_relative_to(path)
