"""The model follows its script, and the real client reads its answers as it reads those of SES."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from email_consumer.core.account import AccountUnavailableError
from email_consumer.core.outcome import Held, InDoubt, Interrupted, SendResult, Sent, Throttled
from email_consumer.ses.client import SesClient
from email_consumer.ses.transport import Session
from tests.factories import mail
from tests.simulation.process import Process
from tests.simulation.ses import courses
from tests.simulation.ses.courses import Course
from tests.simulation.ses.exchange import most_in_a_second
from tests.simulation.ses.service import Ses
from tests.simulation.world import World

COURSES = [(course, result) for result, group in courses.by_result().items() for course in group]
REACHING = {"answered after 40 s", "arrives after 40 s", "unanswered", "cut after", "unreadable"}
"""Courses in which SES takes the mail, though the client does not hear of it."""


def client(ses: Ses, open_session: Callable[[], Awaitable[Session]] | None = None) -> SesClient:
    return SesClient(
        open_session or ses.open_session,
        region="eu-west-1",
        from_email="shop@example.com",
        configuration_set=None,
        instance="test",
    )


@pytest.fixture
def world() -> World:
    return World(1)


@pytest.fixture
def ses(world: World) -> Ses:
    return Ses(world)


Work = Callable[[SesClient, Process], Awaitable[None]]


def run(world: World, ses: Ses, work: Work, *, skew: float = 0.0) -> None:
    """Run it in a process with a client, and let everything that is on its way arrive."""

    async def main() -> None:
        async with client(ses) as opened:
            await work(opened, process)

    with world.running():
        process = world.process("worker", skew=skew)
        task = process.spawn(main())
        world.run(task.done, limit=10_000)
        arrived: list[bool] = []
        world.after(100, arrived.append, True)
        world.run(lambda: bool(arrived), limit=1_000)
        task.result()


@pytest.mark.parametrize(("course", "expected"), COURSES, ids=[course.name for course, _ in COURSES])
def test_each_course(world: World, ses: Ses, course: Course, expected: type[SendResult]) -> None:
    async def work(opened: SesClient, _process: Process) -> None:
        assert isinstance(await opened.send(mail()), expected)
        assert isinstance(await opened.send(mail("u-2")), Sent)

    ses.script("u-1", course)
    run(world, ses, work)
    taken = expected is Sent or course.name in REACHING or course.name.endswith("after SES")
    assert len(ses.accepted.get("u-1", [])) == taken
    [exchange] = ses.exchanges["u-1"]
    assert (exchange.written_at is None) == (not course.connects)


def test_a_mixture_has_its_share_of_trouble() -> None:
    weights = courses.mixed(0.2)
    assert sum(weights.values()) == pytest.approx(1)
    assert [weight for course, weight in weights.items() if course.name == "usual"] == [0.8]


def test_what_is_drawn_follows_the_weights(world: World, ses: Ses) -> None:
    async def work(opened: SesClient, _process: Process) -> None:
        results = [type(await opened.send(mail(str(number)))) for number in range(400)]
        assert results.count(Sent) + results.count(Throttled) == 400
        assert 60 < results.count(Throttled) < 140

    ses.behave({courses.usual(): 3, courses.throttled(): 1})
    run(world, ses, work)


def test_the_accounts_limits_and_the_rate_that_arrives(world: World, ses: Ses) -> None:
    async def work(opened: SesClient, _process: Process) -> None:
        ses.account.rate.rate = 2
        results = await asyncio.gather(*(opened.send(mail(str(number), cc=["c@example.org"])) for number in range(3)))
        assert sorted(type(result).__name__ for result in results) == ["Sent", "Throttled", "Throttled"]
        ses.account.rate.rate, ses.account.quota.limit = 100, 3
        assert isinstance(await opened.send(mail("late", cc=["c@example.org"])), Held)
        account = await opened.account()
        assert (account.max_send_rate, account.max_24_hour_send, account.sent_last_24_hours) == (100, 3, 2)
        ses.account.sending_enabled = False
        assert isinstance(await opened.send(mail("paused")), Held)

    run(world, ses, work)
    assert most_in_a_second(ses.arrivals) == 9


def test_most_in_a_second_slides() -> None:
    assert most_in_a_second([(0.0, 1), (0.5, 2), (0.99, 3), (1.0, 4), (1.6, 1)]) == 9
    assert most_in_a_second([]) == 0


def test_expired_credentials_are_refused_until_new_ones_are_found(world: World, ses: Ses) -> None:
    async def work(opened: SesClient, _process: Process) -> None:
        ses.account.expire_credentials(renewed_after=20)
        assert isinstance(await opened.send(mail()), Held)
        with pytest.raises(AccountUnavailableError):
            await opened.account()
        await asyncio.sleep(30)
        assert isinstance(await opened.send(mail()), Sent)

    run(world, ses, work)


def test_new_credentials_are_found_although_nothing_is_sent(world: World, ses: Ses) -> None:
    """While the account is paused nothing is: only its answer that it may send again ends that."""

    async def work(opened: SesClient, _process: Process) -> None:
        ses.account.expire_credentials(renewed_after=1)
        with pytest.raises(AccountUnavailableError):
            await opened.account()
        await asyncio.sleep(10)
        assert (await opened.account()).sending_enabled

    run(world, ses, work)


@pytest.mark.parametrize("skew", [-400.0, 400.0])
def test_a_clock_that_is_off_is_refused(world: World, ses: Ses, skew: float) -> None:
    async def work(opened: SesClient, _process: Process) -> None:
        result = await opened.send(mail())
        assert isinstance(result, Held)
        assert "clock" in result.reason

    run(world, ses, work, skew=skew)


def test_a_partition_loses_what_is_on_its_way(world: World, ses: Ses) -> None:
    async def work(opened: SesClient, process: Process) -> None:
        assert isinstance(await opened.send(mail("before")), Sent)
        ses.cut_off.add(process.name)
        assert isinstance(await opened.send(mail("on a kept connection")), InDoubt)
        assert isinstance(await opened.send(mail("on a new one")), Held)
        with pytest.raises(AccountUnavailableError):
            await opened.account()
        ses.cut_off.clear()
        assert isinstance(await opened.send(mail("after")), Sent)

    run(world, ses, work)
    assert sorted(ses.accepted) == ["after", "before"]


def test_no_more_requests_at_once_than_connections(world: World, ses: Ses) -> None:
    async def work() -> list[SendResult | Interrupted]:
        open_session = partial(ses.open_session, connections=1, connect_timeout=2.0)
        async with client(ses, open_session) as opened:
            return [*await asyncio.gather(*(opened.send(mail(uuid)) for uuid in ("slow", "waits", "late")))]

    ses.script("slow", courses.answered_late(1))
    ses.script("waits", courses.answered_late(20))
    with world.running():
        task = world.process("worker").spawn(work())
        world.run(task.done, limit=100)
    assert [type(result) for result in task.result()] == [Sent, Sent, Held]


def test_what_was_written_arrives_though_its_process_is_dead(world: World, ses: Ses) -> None:
    async def work() -> None:
        async with client(ses) as opened:
            await opened.send(mail())

    def written() -> bool:
        return any(each.written_at is not None for each in ses.exchanges["u-1"])

    with world.running():
        process = world.process("worker")
        process.spawn(work())
        world.run(written, limit=10)
        process.kill()
        world.run(lambda: "u-1" in ses.accepted, limit=10)


def test_an_expired_claim_is_not_sent(world: World, ses: Ses) -> None:
    async def work(opened: SesClient, process: Process) -> None:
        assert await opened.send(mail(), process.elapsed() - 1) == Interrupted()

    run(world, ses, work)
    [exchange] = ses.exchanges["u-1"]
    assert exchange.written_at is None
