"""Whether mail can flow: one check for each part it needs, and the reason, in plain words, when a part blocks it."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from math import inf

Check = Callable[[], Awaitable[None]]
"""Raises while its part blocks mail. The error text starts with our own words; text from other systems follows after a
colon or in parentheses."""

STUCK = "stuck"
"""The catch-all check: mail waits and none moves, for whatever reason."""
_PATIENCE = 2.0
_FRESH = 0.5
"""Seconds; orchestrators poll readiness about once a second."""
_FOREIGN_TEXT = re.compile(r" \(|: ")


class SharedCheck:
    """One run of all the checks at a time, shared by everybody who asks: strangers may ask as often as they like."""

    def __init__(self, check: Callable[[], Awaitable[dict[str, str]]], fresh: float = _FRESH) -> None:
        """`check` never raises, such as `reasons`; its result is valid for `fresh` seconds."""
        self._check = check
        self._fresh = fresh
        self._running: asyncio.Task[dict[str, str]] | None = None
        self._stale_at = -inf

    async def result(self) -> dict[str, str]:
        """The result of now or of a moment ago."""
        if self._running is None or (self._running.done() and time.monotonic() >= self._stale_at):
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(self._running)  # a caller that gives up must not cancel it for the others

    async def _run(self) -> dict[str, str]:
        result = await self._check()
        self._stale_at = time.monotonic() + self._fresh
        return result


async def reasons(checks: Mapping[str, Check]) -> dict[str, str]:
    """Why parts are down, by name. `STUCK` is left out when another part explains it."""
    results = await asyncio.gather(*map(reason, checks.values()))
    down = {name: text for name, text in zip(checks, results, strict=True) if text}
    if len(down) > 1:
        down.pop(STUCK, None)
    return down


async def reason(check: Check) -> str:
    """Why the check fails; empty if it passes."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except TimeoutError as error:
        return str(error) or "no answer"
    except Exception as error:  # noqa: BLE001 - any error means "not ready"
        return str(error) or type(error).__name__
    return ""


def in_public(text: str) -> str:
    """Only our own words: text from other systems may contain addresses, account names or paths."""
    return _FOREIGN_TEXT.split(text, maxsplit=1)[0]
