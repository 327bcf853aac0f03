"""A rolling upgrade: process by process, while mail is sent, with workers of the version before and of this one."""

import pytest

from tests.acceptance.publisher import as_map, emptied
from tests.servers.daemon import Daemon
from tests.upgrade.installation import VERSIONS
from tests.upgrade.test_side_by_side import NEW, Surroundings, around  # noqa: F401 - a fixture
from tests.waiting import until

_MAILS = 100
"""Published before each of the three changes."""
_RATE = 30
"""A second: most of it still waits when the process is changed."""


@pytest.mark.parametrize("version", VERSIONS)
async def test_mail_that_is_sent_meanwhile_is_sent_once(around: Surroundings, version: str) -> None:  # noqa: F811
    def process(of: str, role: str) -> Daemon:
        # A worker has no file, and the sidecars have the same one, after each other.
        return around.daemon(of, role, SES_RATE_PER_SEC=_RATE, DB_PATH=around.directory / "email.db")

    old = [process(version, "sidecar"), process(version, "worker"), process(version, "worker")]
    for each in old:
        await each.start()
    names: list[str] = []

    async def any_sent_of(some: list[str]) -> bool:
        return not (await around.sent()).keys().isdisjoint(some)

    for each, role in zip(old, ("sidecar", "worker", "worker"), strict=True):
        some = [f"u-{len(names) + number}" for number in range(_MAILS)]
        names += some
        await around.publisher.publish([as_map(name) for name in some])
        await until(lambda: any_sent_of(some))  # noqa: B023 - awaited at once
        assert await each.stop() == 0
        await process(NEW, role).start()
    await around.publisher.publish([as_map(name) for name in names[:20]])  # as what a publisher repeats
    await emptied(around.publisher)
    assert await around.sent() == dict.fromkeys(names, 1)
