"""What really leaves for Sentry, received by an HTTP server that stands where Sentry would."""

import contextlib
import gzip
import json
import logging
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
import structlog

from email_consumer.observe.level import LogFilter
from email_consumer.observe.logging import configure
from email_consumer.observe.sentry import _FLUSH_SECONDS, reporting, scrubbed

JANE = "jane.doe@example.com"
LETTER = "private letter"  # both defined here: a stack shows the lines of source around each frame


class Sentry:
    """Keeps what each envelope said; `hanging` never answers."""

    def __init__(self, *, hanging: bool = False) -> None:
        self.envelopes: queue.Queue[str] = queue.Queue()
        self.released = threading.Event()
        if not hanging:
            self.released.set()
        sentry = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sentry.released.wait()
                packed = self.headers.get("Content-Encoding") == "gzip"
                sentry.envelopes.put((gzip.decompress(body) if packed else body).decode())
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Not a line of the test's output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://public@127.0.0.1:{self._server.server_port}/1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def events(self) -> list[dict[str, Any]]:
        """All events that have arrived."""
        found = []
        while not self.envelopes.empty():
            lines = self.envelopes.get().splitlines()
            found += [
                json.loads(line) for head, line in zip(lines[1::2], lines[2::2], strict=False) if '"event"' in head
            ]
        return found


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with open("/dev/null", "w") as nowhere:  # noqa: PTH123 - a device
        configure(LogFilter(), "json", nowhere)
        yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _reported(*steps: Any) -> tuple[list[dict[str, Any]], str]:
    """The events that the steps led to, and everything that was sent, as text."""
    with Sentry() as sentry:
        with reporting(sentry.dsn, release="1.2.3", environment="staging"):
            for step in steps:
                step()
        sent = list(sentry.envelopes.queue)
        return sentry.events(), "\n".join(sent)


_log = structlog.get_logger("email_consumer.somewhere")


def test_an_error_arrives_grouped_by_its_name() -> None:
    events, _ = _reported(lambda: _log.error("ses.paused", held_seconds=5, region="eu-west-1"))
    (event,) = events
    assert event["message"] == "ses.paused"
    assert event["fingerprint"] == ["email_consumer.somewhere", "ses.paused"]
    assert event["level"] == "error"
    assert (event["release"], event["environment"]) == ("1.2.3", "staging")
    assert event["contexts"]["fields"]["held_seconds"] == 5
    assert event["contexts"]["fields"]["region"] == "eu-west-1"


def test_warnings_are_breadcrumbs_and_no_events() -> None:
    events, _ = _reported(
        lambda: _log.warning("nats.disconnected", server="10.0.0.1:4222"), lambda: _log.error("it.broke")
    )
    (event,) = events
    crumb = event["breadcrumbs"]["values"][0]
    assert (crumb["message"], crumb["category"]) == ("nats.disconnected", "email_consumer.somewhere")
    assert crumb["data"]["server"] == "10.0.0.1:4222"


def test_what_aiohttp_and_asyncio_repeat_arrives_once() -> None:
    def repeat() -> None:
        for number in range(300):
            logging.getLogger("asyncio").error(f"Exception in callback <at 0x{number:x}>\nhandle: <{number}>")  # noqa: G004 - as asyncio does
            logging.getLogger("aiohttp.server").error("Error handling request from %s", number)

    events, _ = _reported(repeat)
    assert sorted(event["tags"]["logger"] for event in events) == ["aiohttp.server", "asyncio"]


def _break(body: str) -> None:
    raise ValueError(f"{JANE} refused {len(body)} bytes")


def _log_exception() -> None:
    try:
        _break(f"<p>{LETTER}</p>")
    except ValueError:
        _log.exception("mail.failed", email=JANE, body=LETTER, uuid="u-1")


def test_an_exception_comes_with_its_stack_but_nothing_private() -> None:
    events, sent = _reported(lambda: _log.info("mail.taken", recipient=JANE), _log_exception)
    (event,) = events
    error = event["exception"]["values"][0]
    assert error["type"] == "ValueError"
    assert error["value"] == "[removed] refused 21 bytes"
    assert error["stacktrace"]["frames"][-1]["function"] == "_break"
    assert event["fingerprint"] == ["email_consumer.somewhere", "mail.failed", "ValueError"]
    assert event["contexts"]["fields"]["uuid"] == "u-1"
    assert "jane" not in sent
    assert LETTER not in sent


def test_what_libraries_log_is_reported_by_its_template() -> None:
    events, sent = _reported(lambda: logging.getLogger("lib").error("lost %s", JANE))
    assert events[0]["fingerprint"] == ["lib", "lost %s"]
    assert "jane" not in sent


def test_what_ends_the_program_is_reported_once() -> None:
    def log_and_die() -> None:
        try:
            _break(LETTER)
        except ValueError:
            _log.exception("it.broke")
            raise

    with Sentry() as sentry:
        with pytest.raises(ValueError, match="refused"), reporting(sentry.dsn, release="1", environment="e"):
            log_and_die()
        with pytest.raises(ValueError, match="refused"), reporting(sentry.dsn, release="1", environment="e"):
            _break(LETTER)
        first, second = sentry.events()
    assert first["fingerprint"][-1] == second["exception"]["values"][0]["type"] == "ValueError"


def test_an_end_is_not_held_up_by_a_sentry_that_hangs() -> None:
    with Sentry(hanging=True) as sentry:
        with reporting(sentry.dsn, release="1", environment="e"):
            _log.error("it.broke")
        assert not sentry.released.is_set()
    assert _FLUSH_SECONDS <= 2


def test_afterwards_nothing_is_reported() -> None:
    with Sentry() as sentry:
        with reporting(sentry.dsn, release="1", environment="e"):
            pass
        _log.error("too.late")
        assert sentry.events() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Email address is not verified: Jane <jane@example.com>", "Email address is not verified: Jane <[removed]>"),
        ("nats://user:pass@host:4222 is away", "nats://[removed]@host:4222 is away"),
        ("GET /v1/events/open?request_id=abc&x=1", "GET /v1/events/open?[removed]&[removed]"),
        ("key AKIAIOSFODNN7EXAMPLE refused", "key [removed] refused"),
        ("x" * 295 + " jane@example.com", "x" * 295 + " [rem"),
        ("at 50 of 100", "at 50 of 100"),
    ],
)
def test_scrubbed(text: str, expected: str) -> None:
    assert scrubbed(text) == expected
