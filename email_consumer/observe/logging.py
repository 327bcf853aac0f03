"""Logs: structlog over the standard library, so that what aiohttp, nats-py or botocore say takes the same way.

Every line has an event name and fields. Message bodies, keys and tokens are never logged, and addresses only masked.
"""

import json  # noqa: TID251 - for what orjson refuses to write
import logging
from typing import Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from email_consumer.observe.bounds import within_bounds
from email_consumer.observe.console import ConsoleRenderer
from email_consumer.observe.level import LogFilter
from email_consumer.observe.masking import without_addresses
from email_consumer.observe.repeats import hold_back_repeats
from email_consumer.runtime.visible import printable

LogForm = Literal["auto", "human", "json"]

_VERBOSE = frozenset({"aiobotocore", "aiosqlite", "boto3", "botocore"})
"""At debug these print request bodies, signatures and SQL parameters, so they stay at info at the least."""

_TLS_NOISE = (
    "returning true from eof_received()",
    "Fatal error on SSL transport",
    "Fatal error on SSL protocol",
    "SSL error in data received",
    "SSL handshake failed",
)


def configure(log_filter: LogFilter, form: LogForm, stream: TextIO) -> None:
    """Send every log of the process to `stream`; `auto` is the human form on a terminal, JSON otherwise."""
    human = stream.isatty() if form == "auto" else form == "human"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last_steps(human, stream)],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # the loggers are module globals; a test may configure again
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.getLogger("asyncio").addFilter(_no_tls_noise)
    hold_back_repeats()
    _set_levels(log_filter)
    logging.captureWarnings(capture=True)


def _no_tls_noise(record: logging.LogRecord) -> bool:
    """False for what asyncio says of a TLS connection that broke: the user of the connection gets the error anyway."""
    return not str(record.msg).startswith(_TLS_NOISE)


def _set_levels(log_filter: LogFilter) -> None:
    logging.getLogger().setLevel(log_filter.root)
    for name, level in (dict.fromkeys(_VERBOSE, log_filter.root) | log_filter.loggers).items():
        verbose = name.partition(".")[0] in _VERBOSE
        logging.getLogger(name).setLevel(max(level, logging.INFO) if verbose else level)


def _last_steps(human: bool, stream: TextIO) -> list[Processor]:
    steps: list[Processor] = [structlog.processors.format_exc_info, within_bounds, without_addresses]
    if human:
        return [*steps, ConsoleRenderer(colors=stream.isatty())]
    return [*steps, _json_line]


def _json_line(_: WrappedLogger, __: str, fields: EventDict) -> str:
    """One line; what every line has comes first."""
    first = {name: fields.pop(name) for name in ("timestamp", "level", "event", "message", "logger") if name in fields}
    line = {**first, **fields}
    try:
        # Also on a terminal, which obeys some characters that JSON may hold as they are.
        return printable(orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
    except TypeError:  # lone surrogates or a number beyond 64 bits, which the standard library can write
        return json.dumps(line, default=str)
