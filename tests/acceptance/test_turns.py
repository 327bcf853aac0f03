"""Tenants with long and short backlogs: the short ones are through long before the long ones, through a kill too."""

from collections.abc import Iterator

from tests.acceptance.api.conftest import serving
from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.waiting import until

_BIG, _SMALL = 4, 16
"""Tenants."""
_LONG, _SHORT = 400, 5
"""Mails of each."""
_RATE = 100


def backlogs() -> Iterator[bytes]:
    """The long ones first."""
    for number in range(_LONG):
        yield from (as_map(f"big-{tenant}-{number}", tenant=f"big-{tenant}") for tenant in range(_BIG))
    for number in range(_SHORT):
        yield from (as_map(f"small-{tenant}-{number}", tenant=f"small-{tenant}") for tenant in range(_SMALL))


async def test_short_backlogs_are_through_long_before_long_ones(harness: DaemonHarness) -> None:
    small = _SMALL * _SHORT
    async with serving(harness, SES_RATE_PER_SEC=_RATE, IN_DOUBT_GRACE=0, ACK_WAIT=2) as api:
        await api.ask("POST", "/v1/holds", {"key": "tenant:small-0", "reason": "paused"})
        await harness.publisher.publish(backlogs())
        total = _BIG * _LONG + small

        async def all_short_ones_sent() -> bool:
            return sum(uuid.startswith("small") for uuid in await harness.sent()) == small - _SHORT

        await until(all_short_ones_sent)
        assert len(await harness.sent()) < total / 2
        await api.daemon.kill()
        await api.daemon.start()
        await api.ask("DELETE", "/v1/holds/tenant%3Asmall-0")

        async def all_sent() -> bool:
            return len(await harness.sent()) == total

        await until(all_sent)
        await harness.emptied()
