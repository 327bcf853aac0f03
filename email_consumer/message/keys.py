"""The keys of a map that a publisher wrote: all spellings of ours, those without a value, and those nearly ours."""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cache
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

_DECISIVE = frozenset(
    {"scheduled_at", "expires_at", "send_window", "cc", "bcc", "lane", "unsubscribe_group", "topic_id", "plan_id"}
)
"""Keys that decide when, to whom or whether a mail goes out: one of these misspelled can't be ignored."""
_VALUES = {"lane": frozenset({"transactional", "bulk"})}
"""Decisive keys with a closed set of values: another key counts as a misspelling only with one of these values. So a
publisher's own `lang: en` is ignored like any unknown key, while `lnae: transactional` is refused."""
_LETTERS = string.ascii_lowercase + string.digits + "?"
_OTHER = re.compile(r"[^a-z0-9]")
_MAX_KEYS = 5_000
_MAX_UNKNOWN = 20
_MAX_KEY = 64


@dataclass(slots=True)
class Reading:
    """Handed to pydantic as the context: how one message is read, and what was noticed on the way."""

    zone: tzinfo = UTC
    """Of naive times."""
    unknown: set[str] = field(default_factory=set)
    """Keys that mean nothing here and were ignored; the first few, cut, so safe to keep."""

    def ignore(self, key: str) -> None:
        if len(self.unknown) < _MAX_UNKNOWN:
            self.unknown.add(key[:_MAX_KEY])


class FromOutside(BaseModel):
    """A map from outside. Keys are snake_case or camelCase, as text or UTF-8; unknown ones are ignored.

    Raises, besides what its fields raise: a key that is nearly a decisive one, where that one is not given.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    OTHER_NAMES: ClassVar[Mapping[str, str]] = {}
    """Further names of fields, and whose they are."""
    ELSEWHERE: ClassVar[Mapping[str, str]] = {}
    """Keys that would be misplaced here and can't be ignored, and where they belong."""
    MAY_BE_EMPTY: ClassVar[frozenset[str]] = frozenset()
    """Optional fields of which an empty text is a value."""

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_given(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Mapping):
            return value
        if len(value) > _MAX_KEYS:
            raise ValueError(f"has {len(value):,} keys; at most {_MAX_KEYS:,} are taken")
        names = _names(cls)
        given: dict[str, object] = {}
        unknown: dict[object, object] = {}
        for key, item in value.items():
            name = names.get(key)
            if name is None:
                unknown[key] = item
            elif (is_given(item) or _stands_empty(cls, name, item)) and (name == key or name not in given):
                given[name] = item
        for name in cls.ELSEWHERE.keys() & given.keys():
            raise ValueError(f"{name} belongs into {cls.ELSEWHERE[name]}")
        if unknown:
            _look_at(unknown, names, given, info.context)
        return given


def is_given(value: object) -> bool:
    """False for what languages write for a value that is not there: nil, an empty text, list or map."""
    return not (value is None or (not value and isinstance(value, (str, bytes, list, tuple, dict))))


def _stands_empty(model: type[FromOutside], name: str, item: object) -> bool:
    return (name in model.MAY_BE_EMPTY and item in ("", b"")) or (
        name in model.model_fields and model.model_fields[name].is_required()
    )


@cache
def _names(model: type[FromOutside]) -> Mapping[object, str]:
    """Every spelling of a key, as text and as bytes, and the name it stands for."""
    names: dict[object, str] = {}
    for key, name in [
        *((name, name) for name in (*model.model_fields, *model.ELSEWHERE)),
        *model.OTHER_NAMES.items(),
    ]:
        for spelling in (key, to_camel(key)):
            names[spelling] = names[spelling.encode()] = name
    return names


def _look_at(
    unknown: Mapping[object, object], names: Mapping[object, str], given: Mapping[str, object], context: object
) -> None:
    for key, item in unknown.items():
        text = key.decode(errors="replace") if isinstance(key, bytes) else str(key)
        folded = _folded(text)
        near = {ours for ours in _near_misses().get(folded, ()) if ours in names}
        near = {ours for ours in near if _folded(ours) == folded} or {
            ours for ours in near if _may_be_meant(ours, item)
        }
        for ours in sorted(near):
            if names[ours] not in given and is_given(item):
                raise ValueError(f"{text!r} is no key of a message; did you mean {ours!r}?")
        if isinstance(context, Reading):
            context.ignore(text)


def _may_be_meant(key: str, item: object) -> bool:
    """Whether `item` could be a value of `key`."""
    text = item.decode(errors="replace") if isinstance(item, bytes) else item
    return key not in _VALUES or (isinstance(text, str) and text.strip().lower() in _VALUES[key])


def _folded(key: str) -> str:
    """Case and `_` don't count; what is neither a letter nor a digit of ASCII is all the same."""
    return _OTHER.sub("?", key[:_MAX_KEY].lower().replace("_", "").replace("-", ""))


@cache
def _near_misses() -> Mapping[str, frozenset[str]]:
    """Everything that is one edit away from a decisive key, and which keys those are. Made when it is first needed."""
    found: dict[str, set[str]] = {}
    for key in _DECISIVE:
        for text in one_edit_away(_folded(key)):
            found.setdefault(text, set()).add(key)
    return {text: frozenset(keys) for text, keys in found.items()}


def one_edit_away(key: str) -> set[str]:
    """The key, and what a letter more, less or changed, or two neighbours swapped make of it."""
    parts = [(key[:place], key[place:]) for place in range(len(key) + 1)]
    return (
        {before + letter + after for before, after in parts for letter in _LETTERS}
        | {before + letter + after[1:] for before, after in parts if after for letter in _LETTERS}
        | {before + after[1:] for before, after in parts if after}
        | {before + after[1] + after[0] + after[2:] for before, after in parts if len(after) > 1}
    )
