"""The breaker on a pacer, and on an event loop whose clock only the test moves."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

import pytest
from structlog.testing import capture_logs

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Failed,
    Held,
    InDoubt,
    Interrupted,
    Rejected,
    SendResult,
    Sent,
    TenantRefused,
    Throttled,
)
from email_consumer.message.model import EmailMessage
from email_consumer.pipeline.breaker import Breaker
from email_consumer.pipeline.pacer import Pacer
from tests.factories import mail
from tests.unit.pipeline.manual_clock import ManualClock

OURS = Held("credentials expired")
DOWN = Failed("InternalFailure", outage=True)
LOST = InDoubt("HTTP 503 that SES did not write")


class Ses:
    """Answers what it was last set to, once the test lets it."""

    def __init__(self) -> None:
        self.answer: SendResult | Interrupted = Sent("ses-1")
        self.attempts: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, message: EmailMessage, deadline: float) -> SendResult | Interrupted:
        assert deadline
        self.attempts.append(message.uuid)
        answer = self.answer
        await self.open.wait()
        return answer


class Bench:
    """What a pipeline does, without its other steps."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.pacer = Pacer(100.0, self.metrics)
        self.ses = Ses()
        self.breaker = Breaker(self.ses, self.pacer, first_pause=2.0, longest_pause=60.0)
        self._numbers = count(1)

    async def attempt(self, uuid: str = "") -> SendResult | Interrupted:
        """One attempt of a mail, another one each time unless it is named, past the pacer."""
        name = uuid or f"mail-{next(self._numbers)}"
        return await self.breaker.send(mail(name), 1.0)

    async def queued(self, uuid: str = "") -> SendResult | Interrupted:
        """The same, when the pacer releases it."""
        assert await self.pacer.acquire(1)
        return await self.attempt(uuid)

    async def fail(self, answer: SendResult, times: int = 5) -> None:
        self.ses.answer = answer
        for _ in range(times):
            await self.attempt()

    @property
    def held(self) -> bool:
        return bool(self.metrics.held)


Measure = Callable[[Bench], Awaitable[None]]
Run = Callable[[Measure], None]


@pytest.fixture
def run() -> Iterator[Run]:
    async def on_a_bench(measure: Measure) -> None:
        await measure(Bench())

    with asyncio.Runner(loop_factory=lambda: ManualClock(lambda _: 0.0)) as runner:
        yield lambda measure: runner.run(on_a_bench(measure))


def test_an_error_of_ours_holds_until_a_probe_goes_through(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        await bench.fail(OURS, times=1)
        waiting = [asyncio.create_task(bench.queued()) for _ in range(5)]
        await asyncio.sleep(1.9)
        assert len(bench.ses.attempts) == 1
        await asyncio.sleep(0.2)
        assert len(bench.ses.attempts) == 2
        await asyncio.sleep(3.8)  # the pause is twice as long now
        assert len(bench.ses.attempts) == 2
        bench.ses.answer = Rejected("not ours")
        await asyncio.sleep(0.2)
        await asyncio.gather(*waiting)
        assert not bench.held

    run(measure)


@pytest.mark.parametrize("answer", [DOWN, LOST])
def test_an_outage_holds_the_queue_and_ends_by_itself(run: Run, answer: SendResult) -> None:
    async def measure(bench: Bench) -> None:
        await bench.fail(answer, times=4)
        assert not bench.held
        with capture_logs() as logs:
            await bench.fail(answer, times=1)
            waiting = [asyncio.create_task(bench.queued()) for _ in range(100)]
            await asyncio.sleep(600)
            assert len(bench.ses.attempts) < 5 + 20
            bench.ses.answer = Sent("ses-1")
            await asyncio.gather(*waiting)
        assert not bench.held
        assert [line["event"] for line in logs] == ["queue.held", "queue.resumed"]

    run(measure)


def test_attempts_are_spared_in_an_outage(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        bench.ses.answer = DOWN
        bench.ses.open.clear()
        under_way = [asyncio.create_task(bench.attempt()) for _ in range(100)]
        await asyncio.sleep(0.1)
        bench.ses.open.set()
        answers = await asyncio.gather(*under_way)
        assert [answer == DOWN for answer in answers] == [True] * 4 + [False] * 96
        probe = asyncio.create_task(bench.queued())
        assert isinstance(await probe, Held)
        assert isinstance(await asyncio.create_task(bench.queued()), Held)

    run(measure)


def test_what_is_in_doubt_stays_in_doubt_in_an_outage(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        await bench.fail(LOST)
        assert await bench.queued() == LOST

    run(measure)


@pytest.mark.parametrize("answer", [DOWN, LOST])
def test_a_bad_mail_alone_uses_up_its_attempts_and_stops_nobody(run: Run, answer: SendResult) -> None:
    async def measure(bench: Bench) -> None:
        bench.ses.answer = answer
        for number in range(50):
            assert await bench.attempt(f"bad-{number % 2}") == answer
        bench.ses.answer = Sent("ses-1")
        assert await bench.attempt() == Sent("ses-1")
        assert not bench.held

    run(measure)


@pytest.mark.parametrize(
    "answer",
    [Sent("ses-1"), Throttled("slower"), Rejected("no"), TenantRefused("acme", "paused"), Failed("BrandNewException")],
)
def test_any_answer_about_a_mail_breaks_the_row(run: Run, answer: SendResult) -> None:
    async def measure(bench: Bench) -> None:
        for _ in range(20):
            await bench.fail(DOWN, times=4)
            assert not bench.held
            await bench.fail(answer, times=1)

    run(measure)


def test_what_began_before_proves_nothing_new(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        bench.ses.open.clear()
        late_success = asyncio.create_task(bench.attempt())
        await asyncio.sleep(0)
        bench.ses.answer = OURS
        late_errors = [asyncio.create_task(bench.attempt()) for _ in range(20)]
        await asyncio.sleep(0)
        opened = bench.ses.open
        bench.ses.open = asyncio.Event()
        bench.ses.open.set()
        await bench.fail(OURS, times=1)
        opened.set()
        assert await late_success == Sent("ses-1")
        assert bench.held
        await asyncio.gather(*late_errors)
        bench.ses.answer = Sent("ses-1")
        probe = asyncio.create_task(bench.queued())
        await asyncio.sleep(2.1)  # the errors of the others have not made the pause longer
        assert probe.done()
        assert probe.result() == Sent("ses-1")
        assert not bench.held
        await asyncio.sleep(60)
        bench.pacer.hold("account", "paused")
        waiting = asyncio.create_task(bench.queued())
        await asyncio.sleep(60)
        assert not waiting.done(), "a closed breaker probes no more"
        bench.pacer.resume("account")
        await waiting

    run(measure)


def test_a_probe_that_never_reaches_ses_is_followed_by_the_next(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        await bench.fail(OURS, times=1)
        bench.ses.answer = Sent("ses-1")
        for _ in range(10):
            assert await bench.pacer.acquire(1)  # it had expired, or was a duplicate
        assert bench.held
        await asyncio.create_task(bench.queued())
        assert not bench.held

    run(measure)


def test_one_probe_at_a_time_however_long_it_takes(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        await bench.fail(LOST)
        bench.ses.open.clear()
        waiting = [asyncio.create_task(bench.queued()) for _ in range(10)]
        await asyncio.sleep(30)  # no answer comes
        assert len(bench.ses.attempts) == 5 + 1
        bench.ses.answer = Sent("ses-1")
        bench.ses.open.set()
        await asyncio.gather(*waiting)

    run(measure)


def test_an_attempt_that_is_cancelled_or_interrupted_is_no_answer(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        await bench.fail(OURS, times=1)
        bench.ses.open.clear()
        probe = asyncio.create_task(bench.queued())
        await asyncio.sleep(2.5)
        probe.cancel()
        await asyncio.wait([probe])
        bench.ses.open.set()
        bench.ses.answer = Interrupted()
        assert await bench.queued() == Interrupted()
        assert bench.held
        bench.ses.answer = Sent("ses-1")
        assert await bench.queued() == Sent("ses-1")
        assert not bench.held

    run(measure)


def test_three_mails_are_enough_for_an_outage(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        bench.ses.answer = DOWN
        for number in range(4):
            await bench.attempt(f"bad-{number % 3}")
        assert not bench.held
        await bench.attempt("bad-1")
        assert bench.held

    run(measure)


def test_mails_from_before_an_answer_do_not_count_for_a_later_row(run: Run) -> None:
    async def measure(bench: Bench) -> None:
        await bench.fail(DOWN, times=4)
        await bench.fail(Sent("ses-1"), times=1)
        bench.ses.answer = DOWN
        for _ in range(5):
            await bench.attempt("bad")
        assert not bench.held, "one mail alone"

    run(measure)
