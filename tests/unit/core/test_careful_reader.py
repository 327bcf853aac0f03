"""Which deliveries are noted before they are read, and which are left unread."""

import asyncio

import pytest

from email_consumer.core.careful_reader import FATAL, CarefulReader, FatalDeliveryError
from tests.factories import FakeDelivery


class Journal:
    """Notes what it is asked; `begun` is what it remembers."""

    def __init__(self, begun: int = 0) -> None:
        self.begun = begun
        self.noted: list[str] = []
        self.open: set[str] = set()

    async def begin(self, key: str) -> int:
        await asyncio.sleep(0)
        self.noted.append(f"begin {key}")
        self.open.add(key)
        return self.begun

    async def end(self, key: str) -> None:
        self.noted.append(f"end {key}")
        self.open.discard(key)


def delivery(number: int = 1, received: int = 2, payload: bytes = b"x") -> FakeDelivery:
    return FakeDelivery(payload, sequence=number, received=received)


async def test_a_first_delivery_is_read_without_a_note() -> None:
    journal = Journal(FATAL)
    assert await CarefulReader(bytes.upper, journal).read(delivery(received=1)) == b"X"
    assert journal.noted == []


async def test_one_that_comes_again_is_noted_once_in_a_process_however_often_it_comes() -> None:
    journal = Journal()
    reader = CarefulReader(bytes.upper, journal)
    for received in range(2, 10):
        assert await reader.read(delivery(received=received)) == b"X"
    assert [note.split()[0] for note in journal.noted] == ["begin", "end"]


async def test_a_reading_that_fails_is_survived() -> None:
    journal = Journal()
    reader = CarefulReader(int, journal)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            await reader.read(delivery())
    assert [note.split()[0] for note in journal.noted] == ["begin", "end"]


@pytest.mark.parametrize("begun", range(FATAL + 2))
async def test_it_is_left_unread_after_so_many_readings_that_nobody_survived(begun: int) -> None:
    journal = Journal(begun)
    reader = CarefulReader(bytes.upper, journal)
    if begun < FATAL:
        assert await reader.read(delivery()) == b"X"
        return
    for _ in range(2):
        with pytest.raises(FatalDeliveryError):
            await reader.read(delivery())
    assert journal.open


async def test_only_one_is_noted_at_a_time() -> None:
    journal = Journal()

    def read(payload: bytes) -> bytes:
        assert len(journal.open) == 1
        return payload

    reader = CarefulReader(read, journal)
    await asyncio.gather(*(reader.read(delivery(number)) for number in range(50)))
    assert len(set(journal.noted)) == 100


async def test_the_same_number_in_a_recreated_stream_is_another_delivery() -> None:
    journal = Journal()
    reader = CarefulReader(bytes.upper, journal)
    before, after = delivery(), delivery()
    after.stored_at = 1.0
    await reader.read(before)
    await reader.read(after)
    assert len(set(journal.noted)) == 4
