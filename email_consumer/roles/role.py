"""What a process does, as the one who runs it sees it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from email_consumer.roles.background import Background


@dataclass(frozen=True, slots=True)
class Role:
    """Built, and not running yet."""

    background: list[Background]
    """All that runs until the end."""
    drain: Callable[[], Awaitable[None]]
    """Take nothing more in hand, and see the rest through, while the background still runs."""
