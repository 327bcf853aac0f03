"""Single requests gathered into the batch calls of SQS."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from email_consumer.sqs.faults import SqsError

MOST = 10
"""Entries that one batch call of SQS takes."""
_GATHER = 0.1
"""Seconds that a request waits for others at the most."""
_TRIES = 3
_RETRY_PAUSE = 0.5

Entry = Mapping[str, Any]
BatchCall = Callable[[list[Entry]], Awaitable[Mapping[str, Any]]]


class Batches:
    """Whichever comes first, ten requests or a tenth of a second, makes a call; calls may overlap."""

    def __init__(self, call: BatchCall) -> None:
        """`call` takes entries that carry an `Id`, and returns SQS's answer with its `Failed` entries."""
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
        left = dict(enumerate(batch))
        for attempt in range(1, _TRIES + 1):
            try:
                answer = await self._call([{"Id": str(number), **entry} for number, (entry, _) in left.items()])
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                _resolve(left.values(), error)
                return
            failed = {int(entry["Id"]): entry for entry in answer.get("Failed", ())}
            _resolve(pair for number, pair in left.items() if number not in failed)
            for number, entry in failed.items():
                if entry.get("SenderFault") or attempt == _TRIES:
                    text = f"SQS: {entry.get('Message') or 'not done'} ({entry['Code']})"
                    _resolve([left[number]], SqsError(text, entry["Code"]))
            left = {number: left[number] for number in failed if not left[number][1].done()}
            if not left:
                return
            await asyncio.sleep(_RETRY_PAUSE * attempt)


def _resolve(pairs: Iterable[tuple[Entry, "asyncio.Future[None]"]], error: Exception | None = None) -> None:
    for _, done in pairs:
        if done.done():  # whoever waited was cancelled
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
