"""Gathering: how many calls, and who hears of which failure."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from email_consumer.sqs import batches
from email_consumer.sqs.batches import Batches, Entry
from email_consumer.sqs.errors import SqsError


class Service:
    """Answers as scripted: for each call the names that fail, with SQS's word for whose fault it is."""

    def __init__(self, *failures: Mapping[str, bool]) -> None:
        self._failures = list(failures)
        self.calls: list[list[str]] = []

    async def call(self, entries: list[Entry]) -> dict[str, Any]:
        self.calls.append([entry["Name"] for entry in entries])
        failing = self._failures.pop(0) if self._failures else {}
        failed = [
            {"Id": entry["Id"], "SenderFault": failing[entry["Name"]], "Code": "Broken", "Message": "it broke"}
            for entry in entries
            if entry["Name"] in failing
        ]
        done = [{"Id": entry["Id"]} for entry in entries if entry["Name"] not in failing]
        return {"Successful": done, "Failed": failed}


async def _submit(service: Service, *names: str) -> list[BaseException | None]:
    gathered = Batches(service.call)
    return await asyncio.gather(*(gathered.submit({"Name": name}) for name in names), return_exceptions=True)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_RETRY_PAUSE", 0.0)


async def test_ten_make_a_call_and_the_rest_follows() -> None:
    service = Service()
    names = [str(number) for number in range(25)]
    assert await _submit(service, *names) == [None] * 25
    assert service.calls == [names[:10], names[10:20], names[20:]]


async def test_only_what_failed_on_their_side_is_tried_again() -> None:
    service = Service({"b": False, "c": True}, {"b": False})
    [a, b, c] = await _submit(service, "a", "b", "c")
    assert (a, b) == (None, None)
    assert isinstance(c, SqsError)
    assert (str(c), c.code) == ("SQS: it broke (Broken)", "Broken")
    assert service.calls == [["a", "b", "c"], ["b"], ["b"]]


async def test_what_never_succeeds_is_given_up() -> None:
    service = Service(*[{"a": False}] * 9)
    [fault] = await _submit(service, "a")
    assert isinstance(fault, SqsError)
    assert service.calls == [["a"]] * 3


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Successful": []},
        {"Successful": [{"Id": 0}, {}]},
        {"Failed": [{"Id": "7", "Code": "Broken", "SenderFault": True}]},
        {"Failed": [{"Code": "Broken", "SenderFault": True}]},
        {"Successful": [{"Id": ["0"]}]},
        {"Failed": [{"Id": {}}]},
        {"Failed": "0", "Successful": 0},
    ],
)
async def test_what_sqs_does_not_name_as_done_is_not_taken_for_done(answer: Mapping[str, Any]) -> None:
    async def call(_: list[Entry]) -> Mapping[str, Any]:
        return answer

    gathered = Batches(call)
    async with asyncio.timeout(60):  # nobody waits for ever
        answers = await asyncio.gather(gathered.submit({}), gathered.submit({}), return_exceptions=True)
    assert all(isinstance(error, Exception) for error in answers)


async def test_a_refusal_without_a_code_is_a_refusal() -> None:
    async def call(_: list[Entry]) -> Mapping[str, Any]:
        return {"Failed": [{"Id": "0", "SenderFault": True}], "Successful": [{"Id": "0"}]}

    with pytest.raises(SqsError, match="not done"):
        await Batches(call).submit({})


async def test_a_call_that_fails_fails_for_all_in_it() -> None:
    async def call(_: list[Entry]) -> Mapping[str, Any]:
        raise SqsError("no answer")

    gathered = Batches(call)
    answers = await asyncio.gather(gathered.submit({}), gathered.submit({}), return_exceptions=True)
    assert [str(error) for error in answers] == ["no answer", "no answer"]


async def test_who_gave_up_waiting_spoils_nothing_for_the_others() -> None:
    service = Service()
    gathered = Batches(service.call)
    impatient, patient = (asyncio.create_task(gathered.submit({"Name": name})) for name in "ab")
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    assert service.calls == [["a", "b"]]
