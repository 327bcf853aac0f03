"""Whether mail can flow: a check for each part that it needs, and in plain words why a part lets none through."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from time import monotonic

Check = Callable[[], Awaitable[None]]
"""Raises if what it looks at lets no mail through. The error's text begins with words of ours; what others said follows
after a colon or in brackets."""

STUCK = "stuck"
"""The check that finds out last: mail waits and none moves, whatever the reason is."""
_PATIENCE = 2.0
_FRESH = 0.5
"""Seconds: what waits for us to become ready asks about once a second."""
_FROM_OTHERS = re.compile(r" \(|: ")


class Lookout:
    """One look at all the parts at a time, shared by everybody who asks: strangers may, as often as they like."""

    def __init__(self, look: Callable[[], Awaitable[dict[str, str]]], fresh: float = _FRESH) -> None:
        """`look` takes a look, such as `reasons`, which never raises; it holds for `fresh` seconds."""
        self._look = look
        self._fresh = fresh
        self._looking: asyncio.Task[dict[str, str]] | None = None
        self._stale_at = -inf

    async def look(self) -> dict[str, str]:
        """What is seen now, or was a moment ago."""
        if self._looking is None or (self._looking.done() and monotonic() >= self._stale_at):
            self._looking = asyncio.create_task(self._once())
        return await asyncio.shield(self._looking)  # whoever gives up takes it from no other

    async def _once(self) -> dict[str, str]:
        seen = await self._look()
        self._stale_at = monotonic() + self._fresh
        return seen


async def reasons(checks: Mapping[str, Check]) -> dict[str, str]:
    """Why each part is down that is; that mail is stuck goes without saying where there is a reason."""
    told = await asyncio.gather(*map(reason, checks.values()))
    down = {name: text for name, text in zip(checks, told, strict=True) if text}
    if len(down) > 1:
        down.pop(STUCK, None)
    return down


async def reason(check: Check) -> str:
    """Empty where all is well."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except TimeoutError as error:
        return str(error) or "no answer"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready
        return str(error) or type(error).__name__
    return ""


def in_public(text: str) -> str:
    """Our own words alone: what others said may hold addresses, names of accounts, paths."""
    return _FROM_OTHERS.split(text, maxsplit=1)[0]
