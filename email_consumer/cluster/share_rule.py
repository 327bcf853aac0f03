"""Who shares the rate: the rule itself, apart from the wire and the event loop.

All members write their records to one log (a KV bucket) and read it in its order. Each divides the rate by the members
that it knows; so the shares never add up to more than the rate if everyone who sends is known to everyone who sends:

- a name sends only after each member it knows has written that it knows the name, so nobody is overlooked;
- a name stops sending less than `ttl` after it wrote the last record that it read back, and is forgotten only by who
  has read one of its records that is `ttl` younger: so no member is forgotten while it sends;
- a name that had to stop is never used again: its owner joins again, under another one;
- in a log that is younger than `ttl` nobody begins to send: the one before it may have been lost, with those still in it
  who send and have not noticed yet.

Every time is the reader's own: nobody's clocks are compared, they only have to run at the same speed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """What a member writes, again and again, under its name."""

    sent: float
    """When it wrote this, by its own clock: means something to itself alone."""
    knows: frozenset[str]
    """The names of the other members that it knows."""
    about: Mapping[str, str]
    """For people: where it runs, since when."""


@dataclass(frozen=True, slots=True)
class MemberState:
    """How a member stands at a moment."""

    workers: int
    """The number of workers that the rate is divided among."""
    sends: bool


@dataclass(frozen=True, slots=True)
class _Member:
    record: MemberRecord
    read_at: float


class Roster:
    """One member's view of all members, itself included."""

    def __init__(self, about: Mapping[str, str], new_name: Callable[[], str], *, ttl: float, margin: float) -> None:
        """Begin unknown to all.

        Args:
            about: goes into each record.
            new_name: makes names that nobody has ever used.
            ttl: seconds after which a silent member is forgotten.
            margin: it stops sending this many seconds earlier.
        """
        self._about = about
        self._new_name = new_name
        self._ttl = ttl
        self._validity = ttl - margin
        self._name = new_name()
        self._former: set[str] = set()
        self._others: dict[str, _Member] = {}
        self._good_from: float | None = None
        """When the newest record was written that we have read back; at first, when the first one was written."""
        self._read_back: float | None = None
        self._confirmed = False
        self._sends = False
        self._trusted_at = math.inf

    @property
    def name(self) -> str:
        """The one we have at present."""
        return self._name

    @property
    def former_names(self) -> frozenset[str]:
        """Names of ours that the others may still count, and that ought to be struck off the log."""
        return frozenset(self._former)

    @property
    def valid_until(self) -> float:
        """Nobody forgets us before; we must not send later. 0 while we don't send."""
        return self._expires() if self._sends else 0.0

    @property
    def others(self) -> Mapping[str, MemberRecord]:
        """The members that we know, without ourselves."""
        return {name: member.record for name, member in self._others.items()}

    def found(self, age: float, now: float) -> None:
        """What we read is a log of this age in seconds."""
        self._trusted_at = now - age + self._ttl

    def lost(self) -> None:
        """We don't read it any more; what we read next may be another one."""
        self._trusted_at = math.inf

    def write(self, now: float) -> MemberRecord:
        """What is to be written under our `name` at this moment."""
        self._lapse_if_due(now)
        if self._good_from is None:
            self._good_from = now
        return MemberRecord(now, frozenset(self._others), self._about)

    def read(self, name: str, record: MemberRecord | None, now: float) -> bool:
        """Take note of the next record in the log, None when its member left; True if it was not known before."""
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
        """Nothing is left in the log that we have not read.

        Only now is it certain that we know everyone who wrote before us: the log keeps but the newest record of each,
        so that a reader who lags may come to a member's first record only by way of a later one.
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
        """How we stand at this moment."""
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
