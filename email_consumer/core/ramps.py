"""Ramps: a new sender domain sends a little more each day, until mailbox providers know it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

RAMPED = "Email-Ramped"
"""Header of mail published from our own tables that its ramp has let go on."""

DEFAULT_CURVE = (
    *(50, 100, 250, 500, 1_000, 2_500, 5_000, 7_500, 10_000, 15_000),
    *(20_000, 30_000, 40_000, 60_000, 80_000, 120_000, 160_000, 200_000, 250_000, 300_000),
)
"""Recipients on the first, second, … day; from the twenty-first on there is no limit."""


@dataclass(frozen=True, slots=True)
class Ramps:
    """Of bulk mail. Transactional mail does not wait for them and is not counted."""

    begins: Mapping[str, date]
    """By sender domain, in lower case: its first day (UTC)."""
    curve: Sequence[int] = DEFAULT_CURVE

    def limit(self, domain: str, day: date) -> int | None:
        """Recipients on that day; None if the domain has no ramp, or is past its end."""
        begins = self.begins.get(domain)
        if begins is None:
            return None
        number = (day - begins).days
        if number < 0:
            return 0
        return self.curve[number] if number < len(self.curve) else None

    def ends(self, domain: str) -> date:
        """The first day without a limit."""
        return self.begins[domain] + timedelta(days=len(self.curve))


def today() -> date:
    """In UTC."""
    return datetime.fromtimestamp(time.time(), UTC).date()
