"""One connection to SES: one request at a time, and its answer or why it is missing."""

import asyncio
import select
from typing import cast

from email_consumer.ses.answer_reader import AnswerReader, UnreadableAnswerError
from email_consumer.ses.transport import Answer, AnswerMissingError, NotWrittenError

_PIECE = 2**16
"""Bytes of a request written at once. Between two of them other connections have their turn."""
_RECEIVED = memoryview(bytearray(2**16))
"""What was received last. One for all connections, since each reads it at once; without it, Python makes room for
256 KiB for every answer over TLS, which costs more than to decrypt it."""


class Connection(asyncio.BufferedProtocol):
    """Opened by `connector`. Whatever is not plainly one answer to one request ends the connection."""

    reusable = True
    """Whether the last request was written and answered in full, and the server keeps the connection."""

    def __init__(self, registry: set["Connection"]) -> None:
        """It leaves `registry` when it is lost."""
        self._loop = asyncio.get_running_loop()
        self._registry = registry
        self._reader = AnswerReader()
        self._answer: asyncio.Future[Answer] | None = None
        self._unwritten = memoryview(b"")
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self.idle_since = self._loop.time()
        """When the last answer came (event-loop clock)."""
        self.lost = asyncio.Event()

    def is_usable(self) -> bool:
        """Whether a request can be written: nothing was received that nobody asked for, nor the end.

        The kernel is asked for that, since the event loop may not have come round to it.
        """
        return not self._transport.is_closing() and not self._incoming.poll(0)

    async def exchange(self, head: bytes, body: bytes, until: float) -> Answer:
        """Write the request, wait for its answer. Unless `reusable` then, the connection is closed.

        Raises:
            NotWrittenError: the connection is closed, or `until` (event-loop clock) is past.
            AnswerMissingError: no whole answer came by then.
        """
        if self._transport.is_closing():
            raise NotWrittenError("the server closed the connection before the request")
        if self._loop.time() >= until:  # the process may have been stopped while it connected
            raise NotWrittenError("the connection came too late")
        self._reader.begin()
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._end_by(until)
        try:
            self._write(head, body)
            return await answer
        finally:
            self._answer = None
            self.idle_since = self._loop.time()
            self.reusable = self._is_reusable()
            if not self.reusable:
                self.abort()

    def _is_reusable(self) -> bool:
        written = not self._unwritten and not self._transport.get_write_buffer_size()
        return self._reader.reusable and written and not self._transport.is_closing()

    def abort(self) -> None:
        """Close at once, whatever is still to be written."""
        self._transport.abort()

    def _write(self, head: bytes, body: bytes) -> None:
        if len(body) <= _PIECE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._unwritten = memoryview(body)
            self._write_piece()

    def _write_piece(self) -> None:
        if self._unwritten and not self._paused and not self._transport.is_closing():
            self._transport.write(self._unwritten[:_PIECE])
            self._unwritten = self._unwritten[_PIECE:]
            self._loop.call_soon(self._write_piece)

    def _end_by(self, until: float) -> None:
        """One timer serves many requests: when it is up, it starts again for the one that is then waiting."""
        self._until = until
        if self._timer is None or until < self._timer.when():
            self._stop_timer()
            self._timer = self._loop.call_at(until, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._time_is_up)
        else:
            self._fail("there was no whole answer in time")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(AnswerMissingError(reason))
        self.abort()

    # What the event loop calls:

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class does not inherit from it
        self._incoming = select.poll()
        self._incoming.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return _RECEIVED

    def buffer_updated(self, nbytes: int) -> None:
        if self._answer is None or self._answer.done():
            self._reader.reusable = False
            self.abort()
            return
        try:
            answer = self._reader.feed(bytes(_RECEIVED[:nbytes]))
        except UnreadableAnswerError as error:
            self._fail(str(error))
        else:
            if answer is not None:
                self._answer.set_result(answer)

    def eof_received(self) -> None:
        if self._answer is not None and not self._answer.done():
            try:
                self._answer.set_result(self._reader.end())
            except UnreadableAnswerError as error:
                self._fail(str(error))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write_piece()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_timer()
        self._fail(f"the connection was lost: {error or 'it was closed'}")
        self._registry.discard(self)
        self._reader.close()
        self.lost.set()
