"""What the daemon counts of itself, as plain numbers: cheap on the hot path, read by the log line and `/metrics`."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf

from email_consumer.core.outcome import SENT_BACK, Outcome

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Upper bounds of a distribution's buckets in seconds, inclusive."""


@dataclass(slots=True)
class Distribution:
    """How often which duration (seconds) occurred, in fixed buckets: an observation costs a quarter of a microsecond."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    """One for each of `BOUNDS`, and a last one for what is above."""
    total: float = 0.0
    """The sum of all observed seconds."""

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[int]:
        """For each bound, then for all: how many were at or below it."""
        return list(accumulate(self.counts))


@dataclass(slots=True)
class Metrics:
    """One process's counts since its start. Written by the pipeline, read by everyone."""

    received: int = 0
    """Deliveries taken in hand."""
    outcomes: Counter[type[Outcome]] = field(default_factory=Counter)
    """Settled deliveries by what became of them."""
    unsent: Counter[str] = field(default_factory=Counter)
    """Mails that are settled for good and were not sent, by reason; see `unsent`."""
    duplicates_changed: int = 0
    """Of the duplicates, those that say something else than the mail that was finished."""
    unknown_keys: int = 0
    """Keys of messages that mean nothing here and were ignored."""
    recipients_sent: int = 0
    """Recipients of mail that SES accepted; what SES's quota counts."""
    copies_left_out: int = 0
    """Copies (cc, bcc) of sent mail that did not go to their addresses, since those are suppressed."""
    unsettled: int = 0
    """Deliveries between pull and settlement."""
    in_flight: int = 0
    """SES calls under way."""
    rate: float = 0.0
    """Recipients a second that the pacer allows at this moment; 0 while the queue is held."""
    peak: int = 0
    """The most recipients that were released in any sliding second since a reader last set this to 0."""
    held: str = ""
    """Why the queue is held; empty while it is not."""
    last_nak_reason: str = ""
    """Why the last mail that was sent back to its source was; empty before the first."""
    last_systemic_nak_at: float = -inf
    """When a mail was last sent back for a reason that holds for any other as well (monotonic seconds)."""
    api_keys_refused: int = 0
    """Requests with a wrong API key."""
    connections_sent_away: int = 0
    """HTTP connections that were closed since they took too long, too much room, or somebody else's place."""
    enqueue_to_ses: Distribution = field(default_factory=Distribution)
    """From being stored by the source to being accepted by SES."""
    ses_call: Distribution = field(default_factory=Distribution)
    """SES calls that were answered, whatever the answer."""
    loop_lag: Distribution = field(default_factory=Distribution)
    """How late the event loop came to a timer."""

    @property
    def settled(self) -> int:
        """Deliveries that don't come again."""
        return self.outcomes.total() - sum(self.outcomes[kind] for kind in SENT_BACK)
