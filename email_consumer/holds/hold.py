"""One hold as it is stored."""

from dataclasses import dataclass
from enum import StrEnum
from sqlite3 import Row


class Holder(StrEnum):
    """Who placed a hold. Each of them may hold the same key, which is held until all of these have ended."""

    BREAKER = "breaker"
    """Too many bounces or complaints."""
    CANARY = "canary"
    """The first mails of a topic were sent, and what became of them is awaited."""
    OPERATOR = "operator"
    SES = "ses"
    """SES refuses the mail of a tenant."""


URGENT = (Holder.BREAKER, Holder.SES, Holder.OPERATOR)
"""Whose holds somebody has to decide about, in this order. A canary's ends when what became of its mail is known."""


OF_A_DURATION = (Holder.CANARY, Holder.SES)
"""Whose holds last for a while from when they are placed; an operator names the moment of the end."""
PUT_BACK = 60.0
"""Seconds by which a hold must have been placed in the future for the clock to have been put back since."""


@dataclass(frozen=True, slots=True)
class Hold:
    id: int
    key: str
    reason: str
    holder: Holder
    since: float
    """Unix seconds."""
    until: float | None
    """Unix seconds; None until it is ended."""
    transactional: bool
    """Whether transactional mail is held, too."""

    def is_over(self, now: float) -> bool:
        """Whether its time is over at `now` (Unix seconds), or it was placed by a clock that was ahead."""
        if self.until is None:
            return False
        return self.until <= now or (self.holder in OF_A_DURATION and self.since > now + PUT_BACK)

    @classmethod
    def of(cls, row: Row) -> "Hold":
        return cls(
            row["id"],
            row["key"],
            row["reason"],
            Holder(row["holder"]),
            row["since"],
            row["until"],
            bool(row["transactional"]),
        )
