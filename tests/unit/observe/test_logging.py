import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from email_consumer.observe.level import LogFilter
from email_consumer.observe.logging import LogForm, configure


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("botocore", "botocore.auth", "aiosqlite", "aiobotocore", "boto3", "ours", "theirs"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def _configured(text: str = "info", form: LogForm = "json", stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    configure(LogFilter.parse(text), form, stream)
    return stream


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ours_and_theirs_are_written_alike() -> None:
    stream = _configured()
    structlog.get_logger("ours").info("mail.sent", uuid="u-1", attempts=2)
    logging.getLogger("theirs").warning("lost %d of %s", 3, "them", extra={"peer": "p"})
    first, second = _lines(stream)
    assert first.pop("timestamp") <= second.pop("timestamp")  # type: ignore[operator]
    assert first == {"level": "info", "event": "mail.sent", "logger": "ours", "uuid": "u-1", "attempts": 2}
    assert second == {"level": "warning", "event": "lost 3 of them", "logger": "theirs", "peer": "p"}


def test_the_time_is_iso_and_utc() -> None:
    stream = _configured()
    structlog.get_logger("ours").info("now")
    assert str(_lines(stream)[0]["timestamp"]).endswith("Z")


def test_the_filter_sets_the_levels() -> None:
    stream = _configured("warning,ours=debug,theirs=error")
    structlog.get_logger("ours").debug("ours at debug")
    structlog.get_logger("others").info("others at info")
    logging.getLogger("theirs").warning("theirs at warning")
    assert [line["event"] for line in _lines(stream)] == ["ours at debug"]


@pytest.mark.parametrize("text", ["debug", "info,botocore=debug,botocore.auth=trace"])
def test_libraries_that_print_bodies_at_debug_are_never_let(text: str) -> None:
    stream = _configured(text)
    for name in ("botocore", "botocore.auth", "aiosqlite"):
        logging.getLogger(name).debug("the whole request")
        logging.getLogger(name).info("%s may say this", name)
    assert [line["event"] for line in _lines(stream) if line["level"] == "debug"] == []
    assert "botocore may say this" in stream.getvalue()


def test_auto_is_json_unless_on_a_terminal() -> None:
    plain = _configured(form="auto")
    structlog.get_logger("ours").info("to a file")
    terminal = _configured(form="auto", stream=_Terminal())
    structlog.get_logger("ours").info("to a terminal", field=1)
    assert _lines(plain)[0]["event"] == "to a file"
    assert "to a terminal" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def _break(body: str) -> None:
    raise ValueError(f"broken, {len(body)} bytes")


@pytest.mark.parametrize("form", ["human", "json"])
def test_an_exception_comes_with_its_traceback_but_no_local_variables(form: LogForm) -> None:
    stream = _configured(form=form)
    try:
        _break("<p>private" + " letter</p>")
    except ValueError:
        structlog.get_logger("ours").exception("it.broke")
    assert "ValueError: broken, 21 bytes" in stream.getvalue()
    assert "test_logging.py" in stream.getvalue()
    assert "private letter" not in stream.getvalue()


@pytest.mark.parametrize("value", ["\udc80", 1 << 80])
def test_what_orjson_can_not_write_is_written_all_the_same(value: object) -> None:
    stream = _configured()
    structlog.get_logger("ours").info("odd", value=value)
    assert _lines(stream)[0]["value"] == value


def test_warnings_are_lines_too() -> None:
    stream = _configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "old ways" in str(_lines(stream)[0]["event"])


def test_configuring_again_leaves_one_handler() -> None:
    _configured()
    stream = _configured()
    structlog.get_logger("ours").info("once")
    assert len(_lines(stream)) == 1


def test_the_rate_line_has_a_constant_event_and_its_text_as_message() -> None:
    stream = _configured()
    structlog.get_logger("ours").info("sending.rate", message="Sent per second (RPS): 7", rps=7, rate=14.5, held=False)
    (line,) = _lines(stream)
    assert list(line)[:4] == ["timestamp", "level", "event", "message"]
    assert (line["event"], line["message"]) == ("sending.rate", "Sent per second (RPS): 7")
    assert (line["rps"], line["rate"], line["held"]) == (7, 14.5, False)


def test_what_asyncio_says_of_a_broken_tls_connection_is_left_out() -> None:
    stream = _configured()
    logging.getLogger("asyncio").warning("returning true from eof_received() has no effect when using ssl")
    logging.getLogger("asyncio").error("Fatal error on SSL transport\nprotocol: %s", "p")
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    assert [line["event"] for line in _lines(stream)] == ["Task exception was never retrieved"]


@pytest.mark.parametrize("form", ["human", "json"])
@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b31m", "\u202e", "\x7f"])
def test_no_line_holds_what_a_terminal_obeys(form: LogForm, evil: str) -> None:
    stream = _configured(form=form)
    structlog.get_logger("ours").warning("odd", value=f"a{evil}b", nested={"x": [evil]})
    logging.getLogger("theirs").warning("from %s", evil)
    assert evil not in stream.getvalue()
    assert all(line.isprintable() for line in stream.getvalue().splitlines())
    if form == "json":
        assert _lines(stream)[0]["value"] == f"a{evil}b"


@pytest.mark.parametrize("form", ["human", "json"])
def test_the_login_of_a_url_is_left_out(form: LogForm) -> None:
    stream = _configured(form=form)
    structlog.get_logger("ours").warning("lost", server="nats://user:secret@nats.example.com:4222", more=["x://y:z@h"])
    assert "secret" not in stream.getvalue()
    assert "nats://nats.example.com:4222" in stream.getvalue()
    assert "z@" not in stream.getvalue()
