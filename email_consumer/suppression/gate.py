"""What the suppression list needs of whoever stops mail; see `pipeline.gate` and `cluster.shared_state_publisher`."""

from collections.abc import Mapping
from typing import Protocol


class SuppressionGate(Protocol):
    """What stops mail to suppressed addresses."""

    def suppress(self, addresses: Mapping[str, str]) -> None:
        """Stop mail to these, each with its reason."""

    def release(self, address: str) -> None:
        """Let mail to the address pass again."""
