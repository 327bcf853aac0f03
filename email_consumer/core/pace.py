"""The pacer as seen by those who control it: the account's governor and the cluster membership."""

from typing import Protocol


class Holdable(Protocol):
    """Something that can be kept from releasing mail."""

    def hold(self, holder: str, reason: str) -> None:
        """Release nothing until `holder` calls `resume`; a second call replaces the reason."""

    def resume(self, holder: str) -> None:
        """Lift the hold of `holder`, if there is one."""


class Pace(Holdable, Protocol):
    """Determines how fast mail is released, and whether it is released at all."""

    def set_rate(self, rate: float) -> None:
        """Set the rate in recipients a second, effective immediately."""

    def hold_bulk(self, holder: str, reason: str) -> None:
        """Release no bulk mail until `holder` calls `resume`; replaces a `hold` of the same holder, and is replaced by it."""
