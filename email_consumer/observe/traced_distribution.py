"""Histograms whose buckets name a trace each. Imported only where traces are wanted."""

import time
from bisect import bisect_left

from opentelemetry.trace import format_trace_id, get_current_span

from email_consumer.core.metrics import BOUNDS, Distribution, Exemplar, Metrics
from email_consumer.message.lane import Lane


class TracedDistribution(Distribution):
    """Remembers the trace in which the newest duration of each bucket was observed, if it is exported."""

    def observe(self, seconds: float) -> None:
        """As `Distribution.observe`."""
        super().observe(seconds)
        span = get_current_span().get_span_context()
        if span.trace_flags.sampled:
            place = bisect_left(BOUNDS, seconds)
            self.exemplars[place] = Exemplar(format_trace_id(span.trace_id), seconds, time.time())


def trace_durations(metrics: Metrics) -> None:
    """Have the durations of mail remember their traces. To be called before any is observed."""
    metrics.enqueue_to_ses = {lane: TracedDistribution() for lane in Lane}
    metrics.ses_call = TracedDistribution()
