"""What may be asked of a pull consumer: its own limits, and ours on bytes. Pure values.

Source: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-13.md and ADR-42
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

HEARTBEAT = 5.0
_EXPIRES = 30.0
_BYTES = 16 * 1024 * 1024
"""That one round of requests may bring. A server cuts a client off that has 64 MB before it (`max_pending`)."""
_FEW_WAITING = 4
"""With fewer requests at a time one that comes before the last one has ended is likely to be refused."""
_AROUND_A_MESSAGE = 4_096
"""Bytes of subject and reply subject, at the most: the server counts them as well."""
_NANOSECONDS = 1e9

_REFUSAL = re.compile(
    r"Exceeded MaxRequest(?:Batch of (?P<batch>\d{1,20})|MaxBytes of (?P<size>\d{1,20})|Expires of (?P<expires>\d\S{0,40}))"
)
_DURATION = re.compile(r"(\d{1,20}(?:\.\d{1,9})?)(ns|µs|us|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class PullLimits:
    """Of one consumer; 0 or an empty text where it has none."""

    batch: int = 0
    expires: float = 0.0
    """Seconds."""
    size: int = 0
    """Bytes that a request may ask for."""
    waiting: int = 0
    """Requests that may wait at a time, those of other workers included."""
    group: str = ""
    """The priority group that a request has to name."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """As a consumer's configuration has them, in the server's own JSON."""
        groups = config.get("priority_groups")
        return cls(
            batch=_positive(config.get("max_batch")),
            expires=_positive(config.get("max_expires")) / _NANOSECONDS,
            size=_positive(config.get("max_bytes")),
            waiting=_positive(config.get("max_waiting")),
            group=str(groups[0]) if isinstance(groups, list) and groups else "",
        )

    def learned(self, refusal: str) -> Self:
        """With the limit that a refusal names: the server's own may be lower than the consumer's."""
        found = _REFUSAL.match(refusal)
        if found is None:
            return self
        if found["batch"]:
            return replace(self, batch=int(found["batch"]))
        if found["size"]:
            return replace(self, size=int(found["size"]))
        return replace(self, expires=_seconds(found["expires"]) or self.expires)

    @property
    def overlap(self) -> bool:
        """Whether to ask for more while a request still waits."""
        return not 0 < self.waiting < _FEW_WAITING

    def at_once(self, max_payload: int) -> float:
        """Messages that may be asked for at a time; `max_payload` is the server's, in bytes."""
        return self.batch * self._most_requests(max_payload) if self.batch else math.inf

    def too_small_for(self, max_payload: int) -> bool:
        """Whether a mail that the server takes may be larger than what a request may ask for."""
        return 0 < self.size < _largest(max_payload)

    def requests(self, wanted: int, max_payload: int, pin: str = "") -> Iterator[dict[str, Any]]:
        """Requests for `wanted` messages, or for as many as may be asked for now, in JetStream's own words.

        `max_payload` is the server's, in bytes; `pin` is the id that it gave us in a group where one client is served.
        """
        largest = _largest(max_payload)
        batch = self.batch or wanted
        count = min(math.ceil(wanted / batch), self._most_requests(max_payload))
        expires = min(_EXPIRES, self.expires or _EXPIRES)
        size = max(largest, _BYTES // count)
        request: dict[str, Any] = {
            "expires": int(expires * _NANOSECONDS),
            "idle_heartbeat": int(min(HEARTBEAT, expires / 3) * _NANOSECONDS),
            "max_bytes": min(size, self.size or size),
        }
        if self.group:
            request["group"] = self.group
        if pin:
            request["id"] = pin
        for number in range(count):
            yield request | {"batch": min(batch, wanted - number * batch)}

    def _most_requests(self, max_payload: int) -> int:
        most = max(1, _BYTES // _largest(max_payload))
        return min(most, self.waiting or most)


def _largest(max_payload: int) -> int:
    return max_payload + _AROUND_A_MESSAGE


def _positive(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _seconds(duration: str) -> float:
    """A duration as Go writes it, such as `1m30s`."""
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))
