"""Which fresh mail is over its tenant's share of the places where mail waits for its turn.

Turns at the pacer are fair among those who wait there. But a tenant with a long backlog would take all places, and the
mail of others would wait in the stream after it. So while several tenants wait, each has its share of half of the places,
and further mail moves into the store, from which the scheduler takes the tenants by turns. The other half is for reading on.
"""

from collections.abc import Callable


class FairShares:
    """Of the bulk lane. Mail without a tenant counts as one tenant."""

    def __init__(self, places: Callable[[], int]) -> None:
        """`places`: how many mails may wait at a time."""
        self._places = places
        self._waiting: dict[str | None, int] = {}

    def enter(self, tenant: str | None) -> None:
        """A mail of the tenant waits from now on, until `leave`."""
        self._waiting[tenant] = self._waiting.get(tenant, 0) + 1

    def leave(self, tenant: str | None) -> None:
        left = self._waiting[tenant] - 1
        if left:
            self._waiting[tenant] = left
        else:
            del self._waiting[tenant]

    def is_full(self, tenant: str | None) -> bool:
        """Whether the tenant has its share already, while others wait, too."""
        contenders = len(self._waiting) + (tenant not in self._waiting)
        if contenders == 1:
            return False
        return self._waiting.get(tenant, 0) >= max(1, self._places() // (2 * contenders))
