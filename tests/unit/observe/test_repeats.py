"""What a stranger can make the libraries say is said once in a while."""

import io
import json
import logging
import time
from collections.abc import Callable, Iterator

import pytest
import structlog

from email_consumer.observe.level import LogFilter
from email_consumer.observe.logging import configure

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(LogFilter(), "json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


NAMES = ["asyncio", "aiohttp.server", "aiohttp.web", "aiohttp.internal", "email_consumer.web.server.protocol"]


@pytest.mark.parametrize("name", NAMES)
def test_of_hundreds_alike_one_is_written(name: str, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for number in range(300):
        logging.getLogger(name).error("Error handling request from %s", f"10.0.0.{number}")
    assert [line["event"] for line in lines()] == ["Error handling request from 10.0.0.0"]
    now += 11
    logging.getLogger(name).error("Error handling request from %s", "10.0.0.1")
    assert [line.get("unlogged") for line in lines()] == [None, 299]


def test_what_differs_is_written(lines: Lines) -> None:
    log = logging.getLogger("asyncio")
    for error in (ValueError("a"), KeyError("b"), KeyError("c")):
        log.error("Unhandled exception", exc_info=error)
    log.error("Something else of <Transport fd=7 at 0x7f15855e4250>\ntransport: 1")
    log.error("Something else of <Transport fd=18 at 0x7f15855e4eb0>\ntransport: 2")
    log.warning("Something else")
    assert len(lines()) == 4


def test_kinds_that_a_stranger_makes_up_are_bounded_in_memory(lines: Lines) -> None:
    log = logging.getLogger("asyncio")
    [repeats] = [each for each in log.filters if isinstance(each, logging.Filter)]
    for number in range(3_000):
        log.debug("not even looked at: %d", number)
        repeats.filter(
            log.makeRecord(
                log.name, logging.ERROR, "", 0, "y" * (number % 150) + "x" * (number // 150) + "z" * 10_000, (), None
            )
        )
    assert len(repeats._throttle._seen) <= 1_000  # type: ignore[attr-defined]
    assert max(map(len, repeats._throttle._seen)) < 300  # type: ignore[attr-defined]
    assert lines() == []


def test_other_loggers_say_what_they_have_to(lines: Lines) -> None:
    for _ in range(5):
        structlog.get_logger("email_consumer.somewhere").error("it.broke")
        logging.getLogger("nats").warning("slow")
    assert len(lines()) == 10
