"""What was sent for each tenant, and what became of it, for metrics."""

from collections import Counter
from dataclasses import dataclass, field

MOST_TENANTS = 100
"""Tenants that metrics name: publishers choose the names, and each is a series."""
OTHERS = "(others)"
"""Stands for all further ones. No tenant can have that name."""


@dataclass(slots=True)
class TenantSums:
    """Mails since the start, by tenant: the first hundred that had mail, and the others together. Mail without a tenant is not counted."""

    sent: Counter[str] = field(default_factory=Counter)
    bounced: Counter[str] = field(default_factory=Counter)
    """Hard."""
    complained: Counter[str] = field(default_factory=Counter)

    def add_sent(self, tenant: str | None, mails: int) -> None:
        if tenant:
            self.sent[self._label(tenant)] += mails

    def add_report(self, tenant: str | None, *, bounced: bool, complained: bool) -> None:
        """An event from SES about one mail."""
        if tenant:
            label = self._label(tenant)
            self.sent[label] += 0  # it has its place, also if it was sent before the start
            self.bounced[label] += bounced
            self.complained[label] += complained

    def _label(self, tenant: str) -> str:
        return tenant if tenant in self.sent or len(self.sent) < MOST_TENANTS else OTHERS
