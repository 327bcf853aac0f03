"""Makes untrusted text safe for terminals and logs: visible, never interpreted, and without passwords."""

import re

# A password may contain an @, so the user information extends to the last one before the path.
_LOGIN = re.compile(r"://[^\s/?#\"'<>]*@")
_LINE_BREAKS = "\n\t"


def printable(text: str) -> str:
    """One line without anything a terminal interprets: control characters, and those that change the writing direction."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def printable_lines(text: str) -> str:
    """Like `printable`, but keeps line breaks and tabs. JSON remains the same JSON."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in _LINE_BREAKS else _escaped(each) for each in text)


def without_login(text: str) -> str:
    """Remove user and password from URLs."""
    return _LOGIN.sub("://", text) if "://" in text else text


def _escaped(character: str) -> str:
    """Escaped as in JSON, Python and most other languages."""
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    code = ord(character)
    return named or (f"\\u{code:04x}" if code <= 0xFFFF else "".join(f"\\u{unit:04x}" for unit in _pair(code)))  # noqa: PLR2004 - the end of the basic plane


def _pair(code: int) -> tuple[int, int]:
    offset = code - 0x10000
    return 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF)
