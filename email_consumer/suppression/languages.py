"""The languages of the unsubscribe page, a file for each in `languages/`, and which of them a browser prefers."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

DEFAULT = "en"
_SUFFIX = ".toml"
_MOST = 20
"""Entries of a header that are read."""

Texts = Mapping[str, str]
"""The texts of the page by name, in one language."""


@cache
def languages() -> Mapping[str, Texts]:
    """All languages, by their ISO 639 code."""
    folder = files("email_consumer.suppression").joinpath("languages")
    return {
        entry.name.removesuffix(_SUFFIX): tomllib.loads(entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(_SUFFIX)
    }


def preferred(accept_language: str) -> str:
    """The code of the best language for an `Accept-Language` header (RFC 9110, 12.5.4); variants count as their language."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language.split(",")[:_MOST]:
        tag, _, parameter = part.partition(";")
        code, weight = tag.strip().lower().partition("-")[0], _weight(parameter)
        if weight > 0 and code in languages():
            wanted.append((weight, code))
    # The first of equals, as written.
    return max(wanted, key=lambda each: each[0])[1] if wanted else DEFAULT


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not parameter.strip():
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
