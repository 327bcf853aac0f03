"""What SES says of its tenants, and what its advisor recommends, as of the last time it was asked."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_PAGE = 100
_MOST_PAGES = 20

Ask = Callable[..., Awaitable[Mapping[str, Any]]]
"""Calls an operation of SES that only reads, by botocore's names; raises `AccountUnavailableError` without an answer."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """By SES's words."""

    type: str
    """DKIM, DMARC, SPF, BIMI, COMPLAINT, BOUNCE, FEEDBACK_3P or IP_LISTING."""
    resource: str
    """Such as `identity/example.com`."""
    impact: str
    """LOW or HIGH; empty if SES names none."""
    description: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Empty before SES was asked."""

    paused: frozenset[str] = frozenset()
    """Tenants for which SES does not send."""
    at_risk: frozenset[str] = frozenset()
    """Tenants whose reputation is bad; SES may pause them."""
    whole: bool = True
    """Whether SES has no more paused tenants than it was asked for, 2,000."""
    recommendations: tuple[Recommendation, ...] = field(default=())
    """Those that are open, a thousand at the most."""

    @property
    def by_kind(self) -> Counter[tuple[str, str]]:
        """The number of recommendations by type and impact."""
        return Counter((each.type, each.impact) for each in self.recommendations)


async def read_standing(ask: Ask) -> Standing:
    """Ask SES: one call, and one for each further page.

    Raises:
        email_consumer.core.account.AccountUnavailableError: it gave no answer.
        email_consumer.aws.client.UNREADABLE: SES did not write it.
    """
    paused, whole = await _tenants(ask, "SENDING_STATUS", "DISABLED")
    at_risk, _ = await _tenants(ask, "REPUTATION_IMPACT", "HIGH")
    found, _ = await _pages(ask, "list_recommendations", "Recommendations", {"STATUS": "OPEN"}, _MOST_PAGES // 2)
    return Standing(paused, at_risk - paused, whole, tuple(map(_recommendation, found)))


async def _tenants(ask: Ask, name: str, value: str) -> tuple[frozenset[str], bool]:
    entities, whole = await _pages(ask, "list_reputation_entities", "ReputationEntities", {name: value}, _MOST_PAGES)
    names = (_tenant(str(each["ReputationEntityReference"])) for each in entities)
    return frozenset(filter(None, names)), whole


async def _pages(
    ask: Ask, operation: str, name: str, wanted: Mapping[str, str], most: int
) -> tuple[list[Mapping[str, Any]], bool]:
    """The entries of up to `most` pages, and whether those are all."""
    entries: list[Mapping[str, Any]] = []
    more: dict[str, str] = {}
    for _ in range(most):
        answered = await ask(operation, Filter=dict(wanted), PageSize=_PAGE, **more)
        entries += answered[name]
        if not answered.get("NextToken"):
            return entries, True
        more = {"NextToken": answered["NextToken"]}
    return entries, False


def _tenant(arn: str) -> str:
    """Empty for what else has a reputation."""
    return arn.partition(":tenant/")[2].partition("/")[0]


def _recommendation(found: Mapping[str, Any]) -> Recommendation:
    description = " ".join(str(found.get("Description") or "").split())
    resource = str(found["ResourceArn"]).rpartition(":")[2]
    return Recommendation(str(found["Type"]), resource[:200], str(found.get("Impact") or ""), description[:500])
