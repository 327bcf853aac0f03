"""How large a line of the log may be, whatever a stranger put into its fields.

What is too long is cut before anything else looks at it, so that a line costs what it shows.
"""

from dataclasses import dataclass

from structlog.typing import EventDict, WrappedLogger

MAX_TEXT = 2_000
MAX_TRACEBACK = 10_000
MAX_LINE = 20_000
"""Characters of all the texts in a line together."""
MAX_FIELDS = 50
MAX_ITEMS = 20
_MAX_DEPTH = 4
_MAX_NAME = 100
_MAX_BITS = 1_024
_BETWEEN_WORDS = " \n\t,;:<>()\"'="
_LONGEST_ADDRESS = 320
_OF_EVERY_LINE = frozenset({"timestamp", "level", "event", "message", "logger"})


def within_bounds(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    """A processor: texts, lists and mappings are cut and say so, everything else stays as it is."""
    cut = _Cut(MAX_LINE)
    order = sorted(fields.items(), key=lambda item: item[0] not in _OF_EVERY_LINE)
    kept = {cut.name(name): cut.field(name, value) for name, value in order[:MAX_FIELDS]}
    if len(fields) > MAX_FIELDS:
        kept["fields_left_out"] = len(fields) - MAX_FIELDS
    return kept


@dataclass(slots=True)
class _Cut:
    left: int
    """Characters that the line has room for."""

    def field(self, name: object, value: object) -> object:
        if name == "exception" and isinstance(value, str):
            return self._traceback(value)
        return self._value(value, _MAX_DEPTH)

    def name(self, name: object) -> str:
        return str(name)[:_MAX_NAME]

    def _value(self, value: object, depth: int) -> object:
        match value:
            case None | bool() | float():
                return value
            case int():
                return value if value.bit_length() <= _MAX_BITS else f"a number of {value.bit_length()} bits"
            case str():
                return self._text(value)
            case bytes():
                return self._text(str(value[: MAX_TEXT + 1]))
            case dict() | list() | tuple() | set() | frozenset() if not depth:
                return f"… {len(value)} values"
            case dict():
                shown = list(value.items())[:MAX_ITEMS]
                kept = {self.name(name): self._value(each, depth - 1) for name, each in shown}
                return kept if len(value) <= MAX_ITEMS else kept | {"…": f"{len(value) - MAX_ITEMS} more"}
            case list() | tuple() | set() | frozenset():
                items = [self._value(each, depth - 1) for _, each in zip(range(MAX_ITEMS), value, strict=False)]
                return items if len(value) <= MAX_ITEMS else [*items, f"… {len(value) - MAX_ITEMS} more"]
        return self._text(str(value))  # what the renderer would make of it: an exception, a path, a model

    def _text(self, text: str) -> str:
        limit = min(MAX_TEXT, self.left)
        shown = text if len(text) <= limit else f"{_head(text, limit)}… ({len(text)} characters)"
        self.left -= min(len(text), limit)
        return shown

    def _traceback(self, text: str) -> str:
        """Its end says what was raised, its beginning where it came from."""
        limit = min(MAX_TRACEBACK, self.left)
        self.left -= min(len(text), limit)
        if len(text) <= limit:
            return text
        return f"{_head(text, limit // 2)}\n… ({len(text)} characters)\n{text[len(text) - limit // 2 :]}"


def _head(text: str, length: int) -> str:
    """Up to a gap between words: half an address could not be masked."""
    head = text[:length]
    end = max(head.rfind(gap, max(0, length - _LONGEST_ADDRESS)) for gap in _BETWEEN_WORDS)
    return head if end < 0 else head[:end]
