"""The reputation of everything that can be held: what was sent, what became of it, and what goes too far. In memory."""

from collections import OrderedDict
from collections.abc import Iterator

from cachetools import LRUCache

from email_consumer.core.mail_group import MailGroup, MailReport
from email_consumer.holds.keys import ACCOUNT, BULK, tenant_key, topic_key, topic_of
from email_consumer.message.lane import Lane
from email_consumer.reputation.counts import Counts
from email_consumer.reputation.rule import Finding, Level, Thresholds, judge

_MOST_KEYS = 5_000
"""Topics and tenants that are counted at a time; beyond that, those are forgotten of which nothing was sent for longest."""


class Reputation:
    """Counts mail for its topic, its tenant, its lane and the account.

    A mail whose topic was stopped counts for nothing wider: what it did to the others' rates ended with the stop. Mail that
    was sent before a stopped key was resumed counts for nothing at all.
    """

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self.counts: OrderedDict[str, Counts] = OrderedDict()
        """Those last of which something was sent last."""
        self._stopped: dict[str, None] = {}
        self.resumed: dict[str, float] = {}
        """Unix seconds."""
        self._tenants: LRUCache[str, str] = LRUCache(_MOST_KEYS)
        """By topic, whose mail it is."""
        self._reported: set[str] = set()
        self.changed: set[str] = set()
        """Keys whose counts changed since the caller emptied this."""

    def sent(self, group: MailGroup, at: float, mails: int) -> None:
        """Count mails that were sent at `at` (Unix seconds)."""
        for key in keys_narrowest_first(group):
            if self.resumed.get(key, 0.0) > at:  # the clock was put back since
                self.resumed[key] = at
        for key in self._keys(group, at):
            self._of(key).add_sent(at, mails)
            self.counts.move_to_end(key)
            self.changed.add(key)
        if group.topic_id and group.tenant:
            self._tenants[topic_key(group.topic_id)] = tenant_key(group.tenant)

    def report(self, report: MailReport) -> None:
        """Count what became of a mail."""
        if not (report.bounced or report.complained):
            return
        for key in self._keys(report.group, report.sent_at):
            self._of(key).add_report(report.sent_at, bounced=report.bounced, complained=report.complained)
            self._reported.add(key)
            self.changed.add(key)

    def check(self, now: float) -> Iterator[tuple[str, Finding]]:
        """Judge what has been reported since the last time, the narrowest first; a key that is to be stopped is stopped."""
        reported, self._reported = self._reported, set()
        for key in sorted(reported - self._stopped.keys(), key=_width):
            finding = judge(self._of(key).outcomes(now), self._thresholds)
            if finding is None:
                continue
            if finding.level is Level.STOP:
                self.stop(key)
                self._leave_out(key)
            yield key, finding

    def stop(self, key: str) -> None:
        """The key is held because of its reputation."""
        self._stopped[key] = None

    def resume(self, key: str, at: float) -> None:
        """The key is held no more: it is judged by what is sent from `at` on (Unix seconds)."""
        self._stopped.pop(key, None)
        self.resumed[key] = at
        self.counts.pop(key, None)
        self.changed.add(key)

    def forget(self, before: float) -> None:
        """Drop the counts of all keys of which nothing was sent since `before` (Unix seconds)."""
        while self.counts and next(iter(self.counts.values())).newest < before:
            self.counts.popitem(last=False)

    def _leave_out(self, key: str) -> None:
        part = self._of(key)
        for wider in {self._tenants.get(key, ""), BULK, ACCOUNT} & self.counts.keys():
            if _width(wider) > _width(key):
                self.counts[wider].subtract(part)
                self.changed.add(wider)

    def _keys(self, group: MailGroup, sent_at: float) -> Iterator[str]:
        for key in keys_narrowest_first(group):
            if sent_at < self.resumed.get(key, 0.0):
                return
            yield key
            if key in self._stopped:
                return

    def _of(self, key: str) -> Counts:
        found = self.counts.get(key)
        if found is None:
            found = self.counts[key] = Counts()
            if len(self.counts) > _MOST_KEYS:
                self.counts.popitem(last=False)
        return found


def keys_narrowest_first(group: MailGroup) -> Iterator[str]:
    """What a mail is judged under, each a part of the next. Transactional mail is never held, so it counts for the account alone."""
    if group.lane is Lane.BULK:
        if group.topic_id:
            yield topic_key(group.topic_id)
        if group.tenant:
            yield tenant_key(group.tenant)
        yield BULK
    yield ACCOUNT


def _width(key: str) -> int:
    return {BULK: 2, ACCOUNT: 3}.get(key, 0 if topic_of(key) else 1)
