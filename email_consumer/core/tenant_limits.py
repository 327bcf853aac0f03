"""Limits of tenants: recipients a second, and recipients a day."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LIMITED = "Email-Limited"
"""Header of mail published from our own tables that its tenant's limits have let go on."""

OTHERS = "*"
"""Stands for each tenant that is not named."""


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """Of mail in both lanes. Mail without a tenant has no limits. False without limits."""

    rates: Mapping[str, float] = field(default_factory=dict)
    """By tenant: recipients a second."""
    days: Mapping[str, int] = field(default_factory=dict)
    """By tenant: recipients a day (UTC)."""

    def __bool__(self) -> bool:
        return bool(self.rates or self.days)

    @property
    def named(self) -> set[str]:
        """Tenants that the limits name."""
        return (self.rates.keys() | self.days.keys()) - {OTHERS}

    def rate(self, tenant: str) -> float | None:
        """None without a limit."""
        return self.rates.get(tenant, self.rates.get(OTHERS))

    def day(self, tenant: str) -> int | None:
        """None without a limit."""
        return self.days.get(tenant, self.days.get(OTHERS))

    def covers(self, tenant: str | None) -> bool:
        """Whether the tenant has a limit."""
        return bool(self) and tenant is not None and not (self.rate(tenant) is None and self.day(tenant) is None)
