"""The answers of one connection, put together from the bytes that come: HTTP/1.1, bounded, each of them whole or none.

llhttp, the parser of Node.js and of aiohttp, knows the protocol. Here is what it leaves to its user: bounds, interim
answers, where an answer ends that has no length, and whether the connection can carry another request.
"""

from http import HTTPStatus

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from email_consumer.aws.encoding import EncodingError, decoded
from email_consumer.aws.response import MOST
from email_consumer.ses.transport import Answer

_CONTINUE, _SWITCHING_PROTOCOLS, _OK = (
    int(status) for status in (HTTPStatus.CONTINUE, HTTPStatus.SWITCHING_PROTOCOLS, HTTPStatus.OK)
)
"""Plain numbers: to look a member of an enumeration up takes longer than to compare it."""
_MOST_RECEIVED = 2 * MOST
"""Bytes of an answer with its head, its interim answers and the sizes of its chunks."""


class UnreadableAnswerError(Exception):
    """No answer, or none that may be believed; the text says why."""


class AnswerReader:
    """Reads one answer after another: `begin`, then `feed` until it gives the answer."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """An answer is expected. The one before, if any, left the connection reusable."""
        self._received = 0
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._in_head = True
        self._ended = False
        self._interim = False
        self.reusable = False
        """Whether the connection can carry another request; False until the answer is whole."""

    def feed(self, data: bytes) -> Answer | None:
        """What the connection received; the answer, once it is whole.

        Raises:
            UnreadableAnswerError: what comes is not an answer, or too large for one.
        """
        room = _MOST_RECEIVED - self._received
        self._received += len(data)
        try:
            self._parser.feed_data(data if len(data) <= room else data[:room])
        except (HttpParserError, HttpParserUpgrade) as error:
            self.reusable = False
            if not self._ended:
                raise UnreadableAnswerError(str(error.__context__ or error)) from error
        if len(self._body) > MOST or (self._received > _MOST_RECEIVED and not self._ended):
            raise UnreadableAnswerError(f"an answer of more than {MOST} bytes")
        return self._answer() if self._ended else None

    def end(self) -> Answer:
        """The server sends no more: the end of an answer that has no length.

        Raises:
            UnreadableAnswerError: the answer is not whole.
        """
        if self._in_head or "content-length" in self._headers or "transfer-encoding" in self._headers:
            raise UnreadableAnswerError("the connection was closed before the answer was whole")
        return self._answer()

    def close(self) -> None:
        """Read no more. The parser and this hold each other, and would wait for the garbage collector, which runs seldom."""
        del self._parser

    def _answer(self) -> Answer:
        body = bytes(self._body)
        if encodings := self._headers.get("content-encoding"):
            try:
                body = decoded(body, encodings, MOST)
            except EncodingError as error:
                raise UnreadableAnswerError(str(error)) from error
        return Answer(self._status, self._headers, body)

    # Called by the parser. What they raise is the context of the error that `feed_data` then raises:

    def on_message_begin(self) -> None:
        if self._ended:
            raise UnreadableAnswerError("more than one answer")
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # and not a trailer
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status == _SWITCHING_PROTOCOLS:
            raise UnreadableAnswerError("it speaks another protocol from here on")
        self._in_head = self._status < _OK

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        if self._in_head:
            self._interim = self._status != _CONTINUE or self._interim
            return
        self._ended = True
        self.reusable = (
            self._parser.should_keep_alive()
            and self._parser.get_http_version() == "1.1"
            and not self._interim
            and "upgrade" not in self._headers
        )
