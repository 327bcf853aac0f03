"""To which trace mail belongs that came over HTTP, until it is published with that in its headers."""

import re
from collections.abc import Iterable, Mapping

from cachetools import LRUCache

TRACEPARENT = "traceparent"
"""https://www.w3.org/TR/trace-context/"""
_WELL_FORMED = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MOST = 20_000


class KnownTraces:
    """In memory, for the most recent mails: one that is forgotten begins a new trace."""

    def __init__(self) -> None:
        self._by_uuid: LRUCache[str, str] = LRUCache(_MOST)

    def remember(self, headers: Mapping[str, str], uuids: Iterable[str | None]) -> None:
        """Mail that came with these headers; malformed ones count as absent."""
        traceparent = headers.get(TRACEPARENT, "")
        if _WELL_FORMED.fullmatch(traceparent):
            self._by_uuid.update((uuid, traceparent) for uuid in uuids if uuid)

    def headers(self, uuid: str) -> dict[str, str]:
        """What to publish the mail with, in addition to its other headers."""
        traceparent = self._by_uuid.get(uuid)
        return {TRACEPARENT: traceparent} if traceparent else {}
