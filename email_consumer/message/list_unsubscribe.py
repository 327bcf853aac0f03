"""What `list_unsubscribe` may be: whether there is a link of ours, or the links of the mail's own (RFC 2369)."""

import re

MAX_LENGTH = 800
"""Characters of all links together: SES takes headers of 996 and counts their names, older accounts take 870."""

_NEITHER = "is neither true nor false nor made of links that begin with https:, http: or mailto:"
_WORDS = {"true": True, "false": False}
_LINK = re.compile(r"(?:https?://|mailto:)[!#-;=?-~]{3,}", re.IGNORECASE)  # visible ASCII but for " < >
_BEFORE_NEXT = re.compile(r",\s*(?=<|https?:|mailto:)", re.IGNORECASE)


def read_list_unsubscribe(value: object) -> object:
    """True or False, or the value of the header: one link or several, each in angle brackets.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        value = ",".join(value)
    if value is None or value in (False, True):
        return value
    if not isinstance(value, str):
        raise ValueError(_NEITHER)  # noqa: TRY004 - pydantic takes only a ValueError for a fault of the input
    text = _bounded(value).strip()
    if not text or text.lower() in _WORDS:
        return _WORDS.get(text.lower())
    return _bounded(", ".join(f"<{_link(part)}>" for part in _BEFORE_NEXT.split(text)))


def _bounded(text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"has {len(text):,} characters; at most {MAX_LENGTH} can stand in the header")
    return text


def _link(text: str) -> str:
    link = text.strip()
    if link.startswith("<") and link.endswith(">"):
        link = link[1:-1].strip()
    if not link.isascii():
        raise ValueError("has a link with characters beyond ASCII; encode them (%C3%A9, xn--...)")
    if not _LINK.fullmatch(link):
        raise ValueError(_NEITHER)
    return link
