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
