"""A log line as a person reads it on a terminal: the time, what happened, then the fields, wrapped to its width."""

from datetime import datetime
from textwrap import wrap

from structlog.typing import EventDict, WrappedLogger

from email_consumer.runtime.visible import printable

WIDTH = 120
_INDENT = "    "
_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_COLORS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_OWN = "email_consumer"


class ConsoleRenderer:
    """The last processor. Whatever a stranger wrote is shown, never obeyed: no control character gets through."""

    def __init__(self, *, colors: bool) -> None:
        """`colors` is for a terminal that understands them."""
        self._colors = colors

    def __call__(self, _: WrappedLogger, __: str, fields: EventDict) -> str:
        time = _clock(str(fields.pop("timestamp", "")))
        level = str(fields.pop("level", ""))
        event = printable(str(fields.pop("event", "")))
        message = fields.pop("message", None)
        traceback = fields.pop("exception", None)
        logger = str(fields.pop("logger", ""))
        if not logger.startswith(_OWN):
            fields["logger"] = logger
        head = f"{time} {level:<8} {printable(str(message)) if message else event}"
        pairs = [f"{printable(str(name))}={printable(_shown(value))}" for name, value in fields.items()]
        lines = _lines(head, pairs)
        if self._colors:
            color = _COLORS.get(level, _BOLD)
            lines[0] = lines[0].replace(head, f"{_DIM}{time}{_RESET} {color}{head[len(time) + 1 :]}{_RESET}", 1)
        if traceback:
            lines.append("\n".join(printable(line) for line in str(traceback).splitlines()))
        return "\n".join(lines)


def _clock(timestamp: str) -> str:
    """`2026-11-28T09:00:00.123456Z` as 09:00:00; anything else as it is."""
    try:
        return f"{datetime.fromisoformat(timestamp):%H:%M:%S}"
    except ValueError:
        return printable(timestamp)


def _shown(value: object) -> str:
    text = str(value)
    return f"'{text}'" if isinstance(value, str) and (not text or " " in text) else text


def _lines(head: str, pairs: list[str]) -> list[str]:
    """Pairs after the head as long as they fit, then on separate lines; a long text is wrapped at spaces."""
    lines = [head]
    for pair in pairs:
        if len(lines[-1]) + 2 + len(pair) <= WIDTH:
            lines[-1] += f"  {pair}"
        else:
            lines += wrap(
                pair,
                WIDTH,
                initial_indent=_INDENT,
                subsequent_indent=_INDENT * 2,
                break_long_words=False,  # an identifier can be copied whole
                break_on_hyphens=False,
            )
    return lines
