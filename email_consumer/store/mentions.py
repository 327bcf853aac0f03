"""Finds an address in a text, in any common notation, but not as part of a longer address."""

import re
import unicodedata
from functools import lru_cache

import orjson

from email_consumer.message.address import normal_form

_AT = r'"?(?:@|%40|&#0*64;)'  # in text, in the query of a URL, and in HTML
_ASCII_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*")
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_LONGEST_DOMAIN = 255


def mentions(text: str | None, address: str) -> bool:
    """Whether `text` contains `address` (in normal form)."""
    if not text:
        return False
    local, domain = address.rsplit("@", 1)
    folded = unicodedata.normalize("NFKC", text).lower()
    return any(_is_domain(folded, found.end(), domain) for found in _local_part(local).finditer(folded))


def json_mentions(document: str | None, address: str) -> bool:
    """Whether any string of a JSON document, keys included, contains `address` (in normal form)."""
    try:
        value = orjson.loads(document or "null")
    except orjson.JSONDecodeError:
        return mentions(document, address)
    return value_mentions(value, address)


def value_mentions(value: object, address: str) -> bool:
    """Whether any string in a value of maps and lists, keys included, contains `address` (in normal form)."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if mentions(value, address):
                return True
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
    return False


@lru_cache(maxsize=8)
def _local_part(local: str) -> re.Pattern[str]:
    # Starts with a literal, which is found fast; the lookbehind is checked afterwards.
    return re.compile(
        rf"{re.escape(local)}(?:(?<![\w.+-]{re.escape(local)})|(?<=%[0-9a-f][0-9a-f]{re.escape(local)})){_AT}"
    )


def _is_domain(text: str, start: int, wanted: str) -> bool:
    end = start + _LONGEST_DOMAIN
    if (found := _ASCII_DOMAIN.match(text, start, end)) and found[0] == wanted:
        return True
    # Letters of other scripts may belong to the domain or to a sentence that continues without a space.
    found = _DOMAIN.match(text, start, end)
    return found is not None and not found[0].isascii() and _normal_domain(found[0]) == wanted


@lru_cache(maxsize=64)
def _normal_domain(domain: str) -> str | None:
    try:
        return normal_form(f"x@{domain}").rpartition("@")[2]
    except ValueError:
        return None
