"""That mail waits and none moves is noticed, and what merely waits for its own reasons is not."""

import pytest

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Failed, Sent, Throttled
from email_consumer.core.stall_detector import SourceProgress, StallDetector

PATIENCE = 60.0


class Watched:
    """A source, a process and a clock, all by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.progress: SourceProgress | Exception = SourceProgress(0, 0)
        self.oldest: float | None = None
        self.metrics = Metrics()
        self.standstill = StallDetector(
            "nats", self._ask, self.metrics, lambda: self.oldest, patience=PATIENCE, clock=lambda: self.now
        )

    async def _ask(self) -> SourceProgress:
        if isinstance(self.progress, Exception):
            raise self.progress
        return self.progress

    async def reason(self, seconds: float) -> str:
        """What `/ready` says after so long, looking every five seconds."""
        for _ in range(int(seconds // 5)):
            self.now += 5
            await self.standstill.check_once()
        try:
            await self.standstill.check()
        except ConnectionError as error:
            return str(error)
        return ""


async def test_mail_that_waits_while_none_moves_is_stuck_after_a_minute_and_no_earlier() -> None:
    watched = Watched()
    watched.progress = SourceProgress(7, 0)
    assert await watched.reason(PATIENCE) == ""
    assert await watched.reason(10) == "mail is waiting, and none was settled for 70 s"
    watched.progress = SourceProgress(7, 1)
    assert await watched.reason(5) == ""


async def test_an_empty_queue_is_not_stuck() -> None:
    assert await Watched().reason(1000) == ""


async def test_mail_that_moves_slowly_is_not_stuck() -> None:
    watched = Watched()
    for settled in range(20):
        watched.progress = SourceProgress(7, settled)
        assert await watched.reason(55) == ""


async def test_what_this_process_settles_counts_where_the_source_does_not_say() -> None:
    watched = Watched()
    watched.progress = SourceProgress(7, 0)
    for _ in range(5):
        watched.metrics.outcomes[Sent] += 1
        assert await watched.reason(55) == ""
    watched.metrics.outcomes[Failed] += 1  # it comes again: nothing is settled
    assert await watched.reason(70)


async def test_a_delivery_that_never_ends_is_noticed() -> None:
    watched = Watched()
    watched.oldest = 1.0
    assert await watched.reason(200) == "", "others take its place"
    watched.oldest = 61.0
    assert await watched.reason(70)


async def test_mail_that_is_sent_back_again_and_again_for_what_is_no_fault_of_its_own_is_noticed() -> None:
    watched = Watched()
    for _ in range(14):
        watched.metrics.outcomes[Throttled] += 1
        watched.metrics.last_systemic_nak_at, watched.metrics.last_nak_reason = watched.now, "TooManyRequestsException"
        reason = await watched.reason(5)
    assert reason.startswith(
        "mail is waiting, and none was settled for 70 s (the last one was returned to its source: TooMany"
    )


async def test_mail_that_waits_for_another_attempt_of_its_own_is_not_stuck() -> None:
    watched = Watched()
    watched.metrics.outcomes[Failed] += 1
    assert await watched.reason(500) == ""


@pytest.mark.parametrize("before", [0, 7])
async def test_a_source_that_gives_no_answer_for_a_minute_is_named(before: int) -> None:
    watched = Watched()
    watched.progress = SourceProgress(before, 0)
    await watched.reason(5)
    watched.progress = ConnectionError("nats: timeout")
    assert await watched.reason(50) == ""
    assert await watched.reason(20) == "the mail queue does not respond: nats: timeout"


async def test_the_reason_that_the_source_gives_is_reported() -> None:
    watched = Watched()
    watched.progress = SourceProgress(7, 0, "max_ack_pending is reached")
    assert "(max_ack_pending is reached)" in await watched.reason(70)
