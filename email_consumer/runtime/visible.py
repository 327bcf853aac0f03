"""Text that strangers had a part in, as a terminal or a log may show it: visible, never obeyed, and without passwords."""

import re

# A password may hold an @, so the user information goes up to the last one; what begins the host's path ends it.
_LOGIN = re.compile(r"://[^\s/?#\"'<>]*@")
_LINE_BREAKS = "\n\t"


def printable(text: str) -> str:
    """On one line, without what a terminal would obey: control characters, and those that change the direction."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def printable_lines(text: str) -> str:
    """The same, but line breaks and tabs stay. JSON stays the same JSON."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in _LINE_BREAKS else _escaped(each) for each in text)


def without_login(text: str) -> str:
    """User and password in URLs are left out."""
    return _LOGIN.sub("://", text) if "://" in text else text


def _escaped(character: str) -> str:
    """As JSON, Python and most languages write it."""
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    code = ord(character)
    return named or (f"\\u{code:04x}" if code <= 0xFFFF else "".join(f"\\u{unit:04x}" for unit in _pair(code)))  # noqa: PLR2004 - the end of the basic plane


def _pair(code: int) -> tuple[int, int]:
    offset = code - 0x10000
    return 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF)
