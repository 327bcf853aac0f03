"""The share rule: which workers share the rate. Pure logic, without I/O or an event loop.

All members write their records to one log (a KV bucket) and read it in order. Each divides the rate by the number of
members it knows. So the shares never exceed the rate as long as every sending member knows all other sending members:

- a name sends only after every member it knows has written that it knows the name, so nobody is overlooked;
- a name stops sending less than `ttl` after writing the last record it has read back, and another member forgets it only
  after reading back its own record that is `ttl` younger: so nobody is forgotten while sending;
- a name that had to stop is never used again: its owner joins again under a new name;
- nobody starts sending in a log younger than `ttl`: the previous log may have been lost together with members that are
  still sending and have not noticed yet.

All times are the reader's own. No clocks are compared; they only have to run at the same speed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """What a member writes under its name with each beat."""

    sent: float
    """When it was written by the member's own clock; only meaningful to the member itself."""
    knows: frozenset[str]
    """The names of the other members it knows."""
    about: Mapping[str, str]
    """Information for operators: host and start time."""


@dataclass(frozen=True, slots=True)
class MemberState:
    """The state of a member at some point in time."""

    workers: int
    """Number of workers that share the rate."""
    sends: bool


@dataclass(frozen=True, slots=True)
class _Member:
    record: MemberRecord
    read_at: float


class Roster:
    """One member's view of all members, including itself."""

    def __init__(self, about: Mapping[str, str], new_name: Callable[[], str], *, ttl: float, margin: float) -> None:
        """Start unknown to all others.

        Args:
            about: part of every record.
            new_name: creates a name that has never been used.
            ttl: seconds after which a silent member is forgotten.
            margin: seconds before that at which it stops sending.
        """
        self._about = about
        self._new_name = new_name
        self._ttl = ttl
        self._validity = ttl - margin
        self._name = new_name()
        self._former: set[str] = set()
        self._others: dict[str, _Member] = {}
        self._good_from: float | None = None
        """When the newest record we have read back was written; initially, when the first one was written."""
        self._read_back: float | None = None
        self._confirmed = False
        self._sends = False
        self._trusted_at = math.inf

    @property
    def name(self) -> str:
        """The current name."""
        return self._name

    @property
    def former_names(self) -> frozenset[str]:
        """Our former names, which others may still count and which have to be removed from the log."""
        return frozenset(self._former)

    @property
    def valid_until(self) -> float:
        """We must not send after this time; nobody forgets us before it. 0 while we don't send."""
        return self._expires() if self._sends else 0.0

    @property
    def others(self) -> Mapping[str, MemberRecord]:
        """The members we know, without ourselves."""
        return {name: member.record for name, member in self._others.items()}

    def found(self, age: float, now: float) -> None:
        """The log we read has an age of `age` seconds."""
        self._trusted_at = now - age + self._ttl

    def lost(self) -> None:
        """We stopped reading the log; the next one we read may be another one."""
        self._trusted_at = math.inf

    def write(self, now: float) -> MemberRecord:
        """The record to write under our `name` now."""
        self._lapse_if_due(now)
        if self._good_from is None:
            self._good_from = now
        return MemberRecord(now, frozenset(self._others), self._about)

    def read(self, name: str, record: MemberRecord | None, now: float) -> bool:
        """Process the next record of the log (None: its member left); True if the member was unknown before."""
        self._lapse_if_due(now)
        if name == self._name:
            self._read_back = record.sent if record else None
            return False
        if record is None:
            self._former.discard(name)
            self._others.pop(name, None)
            return False
        if name in self._former:
            return False
        known = name in self._others
        self._others[name] = _Member(record, now)
        return not known

    def caught_up(self, now: float) -> None:
        """We have read everything in the log.

        Only now is it certain that we know everyone who wrote before us: the log keeps only the newest record of each
        member, so a lagging reader may learn of a member only through a later record.
        """
        self._lapse_if_due(now)
        if self._read_back is None:
            return
        self._good_from, self._confirmed = self._read_back, True
        self._lapse_if_due(now)
        if not self._confirmed:
            return
        for name, member in list(self._others.items()):
            if self._good_from - member.read_at >= self._ttl:
                del self._others[name]
        if now >= self._trusted_at and all(self._name in member.record.knows for member in self._others.values()):
            self._sends = True

    def state(self, now: float) -> MemberState:
        """Our state at this time."""
        self._lapse_if_due(now)
        return MemberState(len(self._others) + 1, self._sends)

    def _expires(self) -> float:
        return math.inf if self._good_from is None else self._good_from + self._validity

    def _lapse_if_due(self, now: float) -> None:
        if now < self._expires():
            return
        self._former.add(self._name)
        self._name = self._new_name()
        self._good_from = self._read_back = None
        self._confirmed = self._sends = False
