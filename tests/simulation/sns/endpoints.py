"""Ways in which a message of SNS enters a process of the program."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from unittest import mock

from email_consumer.feedback.receiver import EventReceiver
from email_consumer.sns import verifier
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.sns.verifier import Verifier
from tests.simulation.http import Response, request
from tests.simulation.process import Process
from tests.simulation.sns.topic import Answered, Endpoint

_HEADERS = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}


Find = Callable[[], Process | None]
"""The process that serves the program's HTTP API, if one is alive."""


def over_http(find: Find, port: int = 3000) -> Endpoint:
    """Through the program's HTTP server, as SNS does."""

    def post(body: bytes, answered: Answered) -> None:
        def respond(response: Response | None) -> None:
            answered(response.status if response else None)

        if process := find():
            request(process, "POST", "/v1/events/results", body, headers=_HEADERS, answered=respond, port=port)
        else:
            answered(None)

    return post


class Receivers:
    """Past the HTTP server, which costs as much as all that follows, right to the `EventReceiver` that it calls."""

    def __init__(self, find: Find, port: int = 3000) -> None:
        """A process accepts messages once it listens on the port."""
        self._find = find
        self._port = port
        self._receivers: dict[Process, EventReceiver] = {}
        self.taken: defaultdict[bytes, set[str]] = defaultdict(set)
        """Names of the processes that took a message, by its body."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Get to know the receiver of every process that starts until the block ends."""
        receivers, begin = self._receivers, EventReceiver.__init__

        def init(self: EventReceiver, *args: Any) -> None:
            begin(self, *args)
            process = asyncio.get_running_loop()
            assert isinstance(process, Process)
            receivers[process] = self

        with mock.patch.object(EventReceiver, "__init__", init):
            yield

    def __call__(self, body: bytes, answered: Answered) -> None:
        process = self._find()
        if (
            process is None
            or not process.alive
            or self._port not in process.listening
            or process.world.now < process.unreachable_until
        ):
            answered(None)
        elif process not in self._receivers:
            answered(503)  # of the server that answers while the program waits to start
        else:
            process.call(self._accept, process, body, answered)

    def _accept(self, process: Process, body: bytes, answered: Answered) -> None:
        def done(status: int | None) -> None:
            if status == HTTPStatus.OK:
                self.taken[body].add(process.name)
            answered(status)

        process.spawn(_handle(self._receivers[process], body, done))


async def _handle(receiver: EventReceiver, body: bytes, answered: Answered) -> None:
    try:
        await receiver.handle(body, "Notification")
    except MessageRefusedError as refusal:
        answered(refusal.status)
    else:
        answered(HTTPStatus.OK)


@contextmanager
def trusted_signatures() -> Iterator[None]:
    """Take every signature for good until the block ends; topic and age are checked as usual. RSA would cost more than all else."""
    with mock.patch.object(Verifier, "_key", _no_key), mock.patch.object(verifier, "verify_signature", _trust):
        yield


async def _no_key(*_: object) -> None:
    """Nothing is downloaded."""


def _trust(*_: object) -> None:
    """Nothing is refused."""
