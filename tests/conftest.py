"""What all tests share."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings

from tests.servers.sqs import SqsServer

_TESTS = Path(__file__).parent
_TOGETHER = {"browser": _TESTS / "browser", "roles": _TESTS / "acceptance" / "roles"}

# Each session of botocore would parse the same megabytes of JSON again.
_parse = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
JSONFileLoader.load_file = lambda _, path: _parse(path)  # type: ignore[assignment, method-assign]


# A busy machine makes examples slow; that is no property of what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests share what is costly to start, one process runs them all: a second set would cost more than it gains.

    Those that are over in no time come last: nobody waits in the end for one that has just begun to wait.
    """
    items.sort(key=lambda item: item.path.is_relative_to(_TESTS / "unit"))
    for item in items:
        for name, folder in _TOGETHER.items():
            if item.path.is_relative_to(folder):
                item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def sqs_server() -> Iterator[SqsServer]:
    """Of a process; each test makes its own queues there."""
    with SqsServer() as server:
        yield server
