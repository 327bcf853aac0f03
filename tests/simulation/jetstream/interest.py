"""Who listens to which subject, over which connection."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.simulation.jetstream.message import Headers
from tests.simulation.jetstream.subjects import is_literal, matches


class Outlet(Protocol):
    """The server's end of a connection."""

    def send(self, sid: int, subject: str, reply: str, data: bytes, headers: Headers | None) -> None:
        """Send a message to a subscription of the client."""


@dataclass(slots=True, eq=False)
class Subscription:
    outlet: Outlet
    sid: int
    pattern: str
    left: int = 0
    """Messages until it ends; 0 if it does not."""


class Interest:
    """Patterns such as an inbox with `.*` at its end are found by their prefix: there is one for each client."""

    def __init__(self) -> None:
        self.on_change: Callable[[str], None] = lambda _: None
        """Called with the pattern that somebody began or ceased to listen to."""
        self._literal: defaultdict[str, list[Subscription]] = defaultdict(list)
        self._under: defaultdict[str, list[Subscription]] = defaultdict(list)
        self._others: list[Subscription] = []
        self._all: dict[tuple[Outlet, int], Subscription] = {}

    def add(self, outlet: Outlet, sid: int, pattern: str) -> None:
        if (outlet, sid) in self._all:  # a client that reconnects sends what waited to be sent once more
            return
        subscription = Subscription(outlet, sid, pattern)
        self._all[outlet, sid] = subscription
        self._home(pattern).append(subscription)
        self.on_change(pattern)

    def remove(self, outlet: Outlet, sid: int, *, after: int = 0) -> None:
        """End a subscription, at once or after so many more messages."""
        subscription = self._all.get((outlet, sid))
        if subscription is None:
            return
        if after:
            subscription.left = after
            return
        del self._all[outlet, sid]
        self._home(subscription.pattern).remove(subscription)
        for home in (self._literal, self._under):
            if not home.get(subscription.pattern.removesuffix(".*"), True):
                del home[subscription.pattern.removesuffix(".*")]
        self.on_change(subscription.pattern)

    def remove_all(self, outlet: Outlet) -> None:
        """The connection is closed."""
        for _, sid in [key for key in self._all if key[0] is outlet]:
            self.remove(outlet, sid)

    def find(self, subject: str) -> list[Subscription]:
        """Who listens to the subject."""
        found = list(self._literal.get(subject, ()))
        found += self._under.get(subject.rpartition(".")[0], ())
        if self._others:
            found += [each for each in self._others if matches(each.pattern, subject)]
        return found

    def exists(self, subject: str) -> bool:
        """Whether anybody listens."""
        if self._literal.get(subject) or self._under.get(subject.rpartition(".")[0]):
            return True
        return any(matches(each.pattern, subject) for each in self._others)

    def deliver(self, to: str, subject: str, reply: str, data: bytes, headers: Headers | None) -> bool:
        """Send a message to who listens to `to`; it shows `subject`. False if nobody does."""
        found = self.find(to)
        for each in found:
            each.outlet.send(each.sid, subject, reply, data, headers)
            if each.left:
                each.left -= 1
                if not each.left:
                    self.remove(each.outlet, each.sid)
        return bool(found)

    def _home(self, pattern: str) -> list[Subscription]:
        if is_literal(pattern):
            return self._literal[pattern]
        prefix, _, last = pattern.rpartition(".")
        return self._under[prefix] if last == "*" and is_literal(prefix) else self._others
