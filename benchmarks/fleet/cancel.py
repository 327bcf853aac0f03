"""A topic of many queued mails, cancelled in the middle of being sent."""

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import Any

from benchmarks.fleet.harness import start_harness

_TOPIC = "autumn"
_PATH = f"/v1/topics/{_TOPIC}"
_PROMISED = 2.0
_PATIENCE = 100.0
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What the first and the final receipt said, and the endpoint right after each."""

    mails: int
    first: dict[str, Any]
    at_first: int
    """Mails that the endpoint had accepted after the first receipt."""
    final: dict[str, Any]
    at_final: int
    seconds: float
    """From the request to the final receipt."""

    def broken(self) -> str:
        """Which promise isn't kept; empty if all are."""
        if not self.final["final"]:
            return f"not final after {_PATIENCE:g} s"
        if sum(self.final[part] for part in ("cancelled", "sent", "failed")) != self.mails:
            return "does not add up"
        for receipt, count in ((self.first, self.at_first), (self.final, self.at_final)):
            if not receipt["sent"] <= count <= receipt["sent"] + receipt["in_flight"]:
                return "more or fewer sent than it says"
        return ""

    @property
    def late(self) -> str:
        """A promise that only a quiet machine can keep."""
        return "" if self.seconds <= _PROMISED else f"final later than {_PROMISED:g} s"


async def cancel(mails: int, *, workers: int, rate: float) -> Cancelled:
    """Cancel once some are sent."""
    async with start_harness(mails=mails, workers=workers, rate=rate, topic=_TOPIC) as running:
        await running.wait_accepted(min(mails // 10, round(2 * rate)))
        began = monotonic()
        first = receipt = await running.call("DELETE", _PATH)
        at_first = await running.endpoint.count()
        while not receipt["final"] and monotonic() < began + _PATIENCE:
            await asyncio.sleep(_LOOK)
            receipt = (await running.call("GET", _PATH))["cancellation"]
        seconds = monotonic() - began
        return Cancelled(mails, first, at_first, receipt, await running.endpoint.count(), seconds)


async def table(mails: int) -> bool:
    print("\n| cancelled over 4 workers | sent | in flight at first | cancelled | endpoint's count | final after | |")
    print("|---|--:|--:|--:|--:|--:|---|", flush=True)
    kept = []
    for rate in (50, 500):
        found = await cancel(mails, workers=4, rate=rate)
        broken = found.broken() or found.late
        print(
            f"| {mails:,} mails, {rate}/s | {found.final['sent']:,} | {found.first['in_flight']:,} "
            f"| {found.final['cancelled']:,} | {found.at_final:,} | {found.seconds:.2f} s "
            f"| {f'BROKEN: {broken}' if broken else 'kept'} |",
            flush=True,
        )
        kept.append(not broken)
    return all(kept)
