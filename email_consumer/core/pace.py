"""The pace as those who steer it see it: the account's governor, the workers' membership. `pipeline.pacer` keeps it."""

from typing import Protocol


class Holdable(Protocol):
    """What can be kept from releasing mail."""

    def hold(self, holder: str, reason: str) -> None:
        """Release nothing until `holder` resumes; a second call replaces the reason."""

    def resume(self, holder: str) -> None:
        """Take the holder's hold back, if there is one."""


class Pace(Holdable, Protocol):
    """What releases mail: how fast, and when not at all."""

    def set_rate(self, rate: float) -> None:
        """Recipients a second, from now on."""
