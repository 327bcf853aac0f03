"""Single requests gathered into the batch calls of SQS."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from email_consumer.sqs.errors import SqsError

MOST = 10
"""Entries that one batch call of SQS takes."""
_GATHER = 0.1
"""Seconds that a request waits for others at the most."""
_TRIES = 3
_RETRY_PAUSE = 0.5

Entry = Mapping[str, Any]
BatchCall = Callable[[list[Entry]], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class NotDone:
    """What became of an entry that SQS does not name as successful."""

    error: SqsError
    final: bool
    """Trying again is of no use."""


def not_done(answer: Mapping[str, Any], ids: Collection[str]) -> dict[str, NotDone]:
    """Of the entries with these ids those that SQS has not done, or does not say that it has."""
    refused = {entry.get("Id"): entry for entry in answer.get("Failed", ())}
    done = {entry.get("Id") for entry in answer.get("Successful", ())}
    return {each: _refusal(refused.get(each)) for each in ids if each in refused or each not in done}


def _refusal(entry: Mapping[str, Any] | None) -> NotDone:
    if entry is None:  # something on the way wrote that answer
        return NotDone(SqsError("SQS does not say what became of it"), final=False)
    code = str(entry.get("Code", ""))
    text = f"SQS: {entry.get('Message') or 'not done'} ({code})"
    return NotDone(SqsError(text, code), final=bool(entry.get("SenderFault")))


class Batches:
    """Whichever comes first, ten requests or a tenth of a second, makes a call; calls may overlap."""

    def __init__(self, call: BatchCall) -> None:
        """`call` takes entries that carry an `Id`, and returns SQS's answer."""
        self._call = call
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def submit(self, entry: Entry) -> None:
        """Return once SQS has done it.

        Raises:
            SqsError: it has not, or it is not known whether it has.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((entry, done))
        if len(self._waiting) == MOST:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(_GATHER, self._begin)
        await done

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        task = asyncio.create_task(self._run(batch))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _run(self, batch: list[tuple[Entry, "asyncio.Future[None]"]]) -> None:
        left = {str(number): pair for number, pair in enumerate(batch)}
        for attempt in range(1, _TRIES + 1):
            try:
                answer = await self._call([{"Id": number, **entry} for number, (entry, _) in left.items()])
                failed = not_done(answer, left)
            except Exception as error:  # noqa: BLE001 - the waiting callers must get any error
                _resolve(left.values(), error)
                return
            _resolve(pair for number, pair in left.items() if number not in failed)
            for number, why in failed.items():
                if why.final or attempt == _TRIES:
                    _resolve([left[number]], why.error)
            left = {number: left[number] for number in failed if not left[number][1].done()}
            if not left:
                return
            await asyncio.sleep(_RETRY_PAUSE * attempt)


def _resolve(pairs: Iterable[tuple[Entry, "asyncio.Future[None]"]], error: Exception | None = None) -> None:
    for _, done in pairs:
        if done.done():  # the waiting caller was cancelled
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
