"""What a key allows: its scopes, and limits on the mail it may send."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from aiohttp import web

from email_consumer.message.address import is_listed
from email_consumer.message.lane import Lane


class Scope(StrEnum):
    """What a route requires. `admin` includes the other two."""

    SEND = "send"
    """Submit mail, and change or cancel what was submitted through the Resend-compatible routes."""
    READ = "read"
    """Look at everything: mail, addresses, statistics, metrics."""
    ADMIN = "admin"
    """Cancel, remove, replay, erase; manage suppressions, webhooks and keys; read the audit log."""


Required = Scope | Literal["any key"] | None
"""What a route requires; None was not declared and means `admin`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What mail a key may send; an empty value does not limit."""

    topics: tuple[str, ...] = ()
    """Ids of topics; one that ends in `*` stands for all that begin like it."""
    lane: Lane | None = None
    tenant: str | None = None
    senders: frozenset[str] = frozenset()
    """Addresses in normal form, and domains with a leading `@`."""

    @property
    def empty(self) -> bool:
        return self == NO_LIMITS

    def allow_topic(self, topic_id: str | None) -> bool:
        topic = topic_id or ""
        return not self.topics or any(
            topic.startswith(each[:-1]) if each.endswith("*") else topic == each for each in self.topics
        )

    def allow_sender(self, address: str) -> bool:
        """`address` may be of the form `Name <address>`."""
        return not self.senders or is_listed(address, self.senders)


ANY_KEY: Final = "any key"
"""In place of a scope: the route needs a valid key, whatever its scopes."""
NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Grant:
    """What the credentials of a request allow."""

    key_id: str
    name: str
    """Of the key, as its creator called it."""
    scopes: frozenset[Scope]
    limits: Limits = NO_LIMITS

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


ROOT = Grant("root", "API_KEY", frozenset(Scope))
"""The grant of the keys in API_KEY."""
GRANT = web.RequestKey("grant", Grant)
"""Where each request that was let in carries its grant."""


def scope_names(scopes: Iterable[Scope]) -> list[str]:
    """In the order of the enumeration."""
    chosen = set(scopes)
    return [scope.value for scope in Scope if scope in chosen]
