"""Whose turn it is while strangers ask for names that they invented."""

import asyncio
from contextlib import suppress

import pytest

from email_consumer.sns import certificate_queue
from email_consumer.sns.certificate_queue import CertificateQueue, StillWaitingError
from tests.waiting import PATIENCE, until

GENUINE = "genuine"


class Fetches:
    """What was fetched, in its order; each takes until it `may` go on."""

    def __init__(self, *, may: bool = True) -> None:
        self.done: list[str] = []
        self.under_way: list[str] = []
        self.most = 0
        self.genuine = asyncio.Event()
        self.began = asyncio.Event()
        self.may = asyncio.Event()
        if may:
            self.may.set()

    async def __call__(self, name: str) -> None:
        self.under_way.append(name)
        self.most = max(self.most, len(self.under_way))
        self.began.set()
        await self.may.wait()
        self.under_way.remove(name)
        self.done.append(name)
        if name == GENUINE:
            self.genuine.set()


async def ask(queue: CertificateQueue, *names: str, patience: float = 0.0) -> int:
    """How many of these were fetched meanwhile."""

    async def one(name: str) -> bool:
        with suppress(StillWaitingError):
            await queue.fetched(name, patience)
            return True
        return False

    return sum(await asyncio.gather(*map(one, names)))


async def test_who_asks_for_the_same_name_shares_one_fetch() -> None:
    fetches = Fetches(may=False)
    queue = CertificateQueue(fetches)
    asking = [asyncio.create_task(queue.fetched(GENUINE, 30)) for _ in range(50)]
    await fetches.began.wait()
    asking[0].cancel()  # a cancelled request must not affect the others
    fetches.may.set()
    await asyncio.gather(*asking[1:])
    assert fetches.done == [GENUINE]


async def test_few_at_once_few_in_a_row_and_the_rest_waits() -> None:
    fetches = Fetches()
    queue = CertificateQueue(fetches, per_second=0.001, burst=10)
    asking = asyncio.create_task(ask(queue, *map(str, range(300)), patience=PATIENCE))
    await until(lambda: len(fetches.done) >= 10)
    await asyncio.wait([asking], timeout=0.05)
    assert len(fetches.done) == 10
    assert fetches.most <= 4
    asking.cancel()


async def test_what_waits_is_bounded_and_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_queue, "_MAX_NAMES", 30)
    fetches = Fetches(may=False)
    queue = CertificateQueue(fetches)
    waiting = [asyncio.create_task(queue.fetched(f"waits-{number}", 30)) for number in range(50)]
    await asyncio.sleep(0)
    assert queue._waiting == 50
    with pytest.raises(StillWaitingError):
        await queue.fetched("one too many", 30)
    assert "one too many" in queue._requested
    assert await ask(queue, *map(str, range(1_000))) == 0
    assert len(queue._requested) == 30
    for task in waiting:
        task.cancel()
    fetches.may.set()


async def test_the_name_that_is_asked_for_most_often_comes_first() -> None:
    fetches = Fetches(may=False)
    queue = CertificateQueue(fetches, per_second=1e9, burst=1)
    await ask(queue, "a", "b", "c", "d")  # under way
    invented = [str(number) for number in range(5_000)]
    for repeated in range(4):  # SNS tries four times by default
        await ask(queue, *invented[repeated * 1_250 : (repeated + 1) * 1_250], GENUINE)
    fetches.may.set()
    await fetches.genuine.wait()
    assert fetches.done.index(GENUINE) <= 6, "four were under way, and every other one is any of them"


async def test_no_name_can_be_kept_back_for_ever() -> None:
    class Flood(Fetches):
        """For each name that was fetched a stranger asks three times for a new one."""

        async def __call__(self, name: str) -> None:
            await super().__call__(name)
            assert len(self.done) < 100_000
            for _ in range(3):
                queue._count(f"{len(self.done)}")

    fetches = Flood(may=False)
    queue = CertificateQueue(fetches, per_second=1e9, burst=1)
    await ask(queue, *[f"at first-{number}" for number in range(50)] * 3, GENUINE)
    fetches.may.set()
    await fetches.genuine.wait()
