"""The process's own metrics as plain numbers: cheap on the hot path, read by the rate line and `/metrics`."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from typing import NamedTuple

from email_consumer.core.mail_group import Tally
from email_consumer.core.outcome import SENT_BACK, Outcome
from email_consumer.message.lane import Lane

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Inclusive upper bounds of a distribution's buckets, in seconds."""


class Exemplar(NamedTuple):
    """One of the observed durations, and the trace that explains it."""

    trace_id: str
    seconds: float
    at: float
    """Unix seconds."""


@dataclass(slots=True)
class Distribution:
    """A histogram of durations (seconds) with fixed buckets; one observation costs a quarter of a microsecond."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    """One count for each of `BOUNDS`, and a last one for longer durations."""
    total: float = 0.0
    """The sum of all observed seconds."""
    exemplars: dict[int, Exemplar] = field(default_factory=dict)
    """The newest one by place in `counts`; none where traces are off."""

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def __add__(self, other: "Distribution") -> "Distribution":
        """The distribution of both together."""
        counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        return Distribution(counts, self.total + other.total, self.exemplars | other.exemplars)

    def cumulative(self) -> list[int]:
        """For each bound, how many durations were at or below it; then the total count."""
        return list(accumulate(self.counts))


@dataclass(slots=True)
class Metrics:
    """The counts of one process since its start."""

    received: int = 0
    """Deliveries started."""
    outcomes: Counter[type[Outcome]] = field(default_factory=Counter)
    """Settled deliveries by outcome."""
    unsent: Counter[str] = field(default_factory=Counter)
    """Mails settled for good without being sent, by reason; see `core.unsent`."""
    duplicates_changed: int = 0
    """Duplicates whose content differs from that of the finished mail."""
    unknown_keys: int = 0
    """Unknown keys of messages, which were ignored."""
    sent_by_lane: Counter[Lane] = field(default_factory=Counter)
    """Mails that SES accepted, by lane."""
    recipients_sent: int = 0
    """Recipients of mail SES accepted; this is what SES's quota counts."""
    transactional_recipients_sent: int = 0
    """Those of `recipients_sent` whose mail was transactional."""
    copies_left_out: int = 0
    """cc and bcc recipients that were left out of sent mail: suppressed, or stopped by safe mode."""
    safe_mode: bool = False
    """Whether mail goes out to certain addresses only."""
    unsettled: int = 0
    """Deliveries between pull and settlement."""
    unsettled_transactional: int = 0
    """Those of `unsettled` that waited in a queue of transactional mail."""
    unclaimed: int = 0
    """Those of `unsettled` that wait for their turn or their claim, so that the tables need not know their mail."""
    in_flight: int = 0
    """SES requests in flight."""
    rate: float = 0.0
    """Recipients a second the pacer currently allows; 0 while sending is paused."""
    peak: int = 0
    """Most recipients released in any sliding second since a reader last reset this to 0."""
    held: str = ""
    """Why sending is paused; empty if it is not."""
    bulk_held: str = ""
    """Why bulk mail is held while transactional mail is sent; empty if it is not."""
    tally: Tally | None = None
    """Where sent mail is counted for the reputation; None unless somebody takes it out."""
    refused_tenants: dict[str, str] | None = None
    """Tenants for which SES does not send, and its words, until they are held; None unless somebody takes them out."""
    holds: int = 0
    """Keys that are held: account, lane, tenants, topics."""
    limited_tenants: int = 0
    """Tenants whose mail waits for their limits."""
    tenants_paused: int = 0
    """Tenants for which SES does not send, as of the last time it was asked."""
    tenants_at_risk: int = 0
    """Tenants that SES may pause."""
    recommendations: Counter[tuple[str, str]] = field(default_factory=Counter)
    """What SES's advisor recommends, by type and impact."""
    last_nak_reason: str = ""
    """Why mail was last returned to its source; empty before the first time."""
    last_systemic_nak_at: float = -inf
    """When mail was last returned for a reason that affects all mail (monotonic seconds)."""
    api_keys_refused: int = 0
    """Requests with a wrong API key."""
    connections_evicted: int = 0
    """HTTP connections closed because they took too long or too much memory, or to make room for others."""
    enqueue_to_ses: dict[Lane, Distribution] = field(default_factory=lambda: {lane: Distribution() for lane in Lane})
    """From storage by the source to acceptance by SES, by lane of the mail."""
    ses_call: Distribution = field(default_factory=Distribution)
    """SES calls that ended with any result."""
    events_published: int = 0
    """Events out that are stored in JetStream."""
    events_waiting: int = 0
    """Events out that JetStream or the webhooks' deliveries have not taken yet."""
    events_dropped: Counter[str] = field(default_factory=Counter)
    """Events out that were given up, by where to: `jetstream` (too large), `webhook` (all attempts failed), or both
    (`outbox`: too old, or too many wait)."""
    webhook_attempts: Counter[str] = field(default_factory=Counter)
    """Requests to webhook endpoints, by result: `delivered` or `failed`."""
    webhooks_disabled: int = 0
    """Webhook endpoints that are disabled."""
    loop_lag: Distribution = field(default_factory=Distribution)
    """How late the event loop ran a timer."""

    @property
    def settled(self) -> int:
        """Deliveries that will not be redelivered."""
        return self.outcomes.total() - sum(self.outcomes[kind] for kind in SENT_BACK)
