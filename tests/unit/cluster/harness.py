"""A simulated cluster in which workers start, lag, stall, die and leave, on a log that keeps the newest record of each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

from email_consumer.cluster.share_rule import MemberRecord, Roster

TTL, MARGIN = 6.0, 1.0


@dataclass
class Log:
    """What was written, in order. A reader finds the newest entry of a name alone, and none that is too old."""

    began: float = -100.0
    entries: list[tuple[str, MemberRecord | None, float]] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)

    def append(self, name: str, record: MemberRecord | None, now: float) -> None:
        self.newest[name] = len(self.entries)
        self.entries.append((name, record, now))

    def after(self, position: int, now: float) -> list[int]:
        kept = (place for place in self.newest.values() if place >= position)
        return sorted(place for place in kept if now - self.entries[place][2] < 2 * TTL)


@dataclass
class Worker:
    """A member whose writes travel and whose reads lag."""

    roster: Roster
    log: Log
    notices_at: float = 0.0
    """When it notices that the log it reads is no more."""
    position: int = 0
    stalled_until: float = 0.0
    beat_at: float = 0.0
    has_read_all: bool = False
    on_the_way: list[tuple[float, str, MemberRecord | None]] = field(default_factory=list)

    def restart(self, log: Log) -> None:
        self.log, self.position, self.has_read_all = log, 0, False
        self.roster.lost()

    def read(self, now: float, most: int) -> None:
        places = self.log.after(self.position, now)
        for place in places[:most]:
            name, record, _ = self.log.entries[place]
            if self.roster.read(name, record, now):
                self.beat_at = now
            self.position = place + 1
        if len(places) <= most:
            self.roster.caught_up(now)
            if not self.has_read_all:
                self.roster.found(now - self.log.began, now)
                self.has_read_all = True

    def write(self, now: float, delay: float) -> None:
        for name in self.roster.former_names:
            self._post(now + delay, name, None)
        record = self.roster.write(now)
        self._post(now + delay, self.roster.name, record)
        self.beat_at = now + 1.5

    def _post(self, arrives: float, name: str, record: MemberRecord | None) -> None:
        after_those_before = max([arrives, *(each[0] for each in self.on_the_way)])
        self.on_the_way.append((after_those_before, name, record))


class ClusterHarness:
    """Moves on by `step`. What happens is drawn from `random`; nothing bad happens while `calm`."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = 0.0
        self.log = Log()
        self.workers: list[Worker] = []
        self._numbers: Iterator[int] = count(1)
        self._orphaned: list[tuple[float, str, MemberRecord | None]] = []

    def start(self) -> None:
        roster = Roster({}, lambda: f"worker-{next(self._numbers)}", ttl=TTL, margin=MARGIN)
        self.workers.append(Worker(roster, self.log, beat_at=self.now))

    def step(self, *, calm: bool) -> None:
        self.now += self.random.uniform(0.01, 0.4)
        if not calm:
            self._let_something_happen()
        for worker in self.workers:
            self._orphaned += [each for each in worker.on_the_way if each[0] <= self.now]
            worker.on_the_way = [each for each in worker.on_the_way if each[0] > self.now]
        for arrived in sorted(self._orphaned, key=lambda each: each[0]):
            if arrived[0] <= self.now:
                self.log.append(arrived[1], arrived[2], self.now)
                self._orphaned.remove(arrived)
        for worker in self.awake:
            if worker.log is not self.log and worker.notices_at <= self.now:
                worker.restart(self.log)
            if calm or self.random.random() < 0.7:
                worker.read(self.now, 1000 if calm else self.random.choice([0, 1, 2, 1000]))
            if worker.has_read_all and worker.beat_at <= self.now:
                worker.write(self.now, 0.01 if calm else self.random.choice([0.01, 0.01, 0.5, 3.0]))

    @property
    def awake(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.stalled_until <= self.now]

    @property
    def share_in_use(self) -> float:
        """The part of the rate that all use together."""
        states = [worker.roster.state(self.now) for worker in self.awake]
        return sum(1 / state.workers for state in states if state.sends)

    def _let_something_happen(self) -> None:
        chance = self.random.random()
        if chance < 0.03 and len(self.workers) < 6:
            self.start()
        elif chance < 0.05 and self.workers:
            self._remove(self.random.choice(self.workers), farewell=False)
        elif chance < 0.07 and self.awake:
            self._remove(self.random.choice(self.awake), farewell=True)
        elif chance < 0.12 and self.workers:
            self.random.choice(self.workers).stalled_until = self.now + self.random.uniform(0.5, 12)
        elif chance < 0.14 and self.awake:  # its watch broke: it begins from what is stored
            self.random.choice(self.awake).restart(self.log)
        elif chance < 0.145:  # and the log itself is lost
            self.log = Log(began=self.now)
            for worker in self.workers:
                worker.notices_at = self.now + self.random.uniform(0, 3)

    def _remove(self, worker: Worker, *, farewell: bool) -> None:
        self.workers.remove(worker)
        self._orphaned += worker.on_the_way
        if farewell:
            last = max([self.now, *(each[0] for each in worker.on_the_way)])
            self._orphaned.append((last + 0.001, worker.roster.name, None))
