"""The keys of a map that a publisher wrote: all spellings of ours, those without a value, and those nearly ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cache
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

_DECISIVE = frozenset({"scheduled_at", "expires_at", "cc", "bcc", "lane", "unsubscribe_group", "topic_id", "plan_id"})
"""Keys that decide when, to whom or whether a mail goes out: one of these misspelled can't be ignored."""
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

    Raises, besides what its fields raise: a key that is nearly a decisive one, where that one is not given; a key that
    is agreed upon but not built yet.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    OTHER_NAMES: ClassVar[Mapping[str, str]] = {}
    """Further names of fields, and whose they are."""
    NOT_BUILT: ClassVar[frozenset[str]] = frozenset()
    MAY_BE_EMPTY: ClassVar[frozenset[str]] = frozenset()
    """Optional fields of which an empty text is a value."""

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_given(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Mapping):
            return value
        keys = _keys(cls)
        given: dict[str, object] = {}
        unknown: dict[object, object] = {}
        for key, item in value.items():
            name = keys.names.get(key)
            if name is None:
                unknown[key] = item
            elif (is_given(item) or _stands_empty(cls, name, item)) and (name == key or name not in given):
                given[name] = item
        for name in cls.NOT_BUILT & given.keys():
            raise ValueError(f"{name}: this version can't act on it, and without it the mail would be another")
        if unknown:
            _look_at(unknown, keys.decisive, given, info.context)
        return given


def is_given(value: object) -> bool:
    """False for what languages write for a value that is not there: nil, an empty text, list or map."""
    return not (value is None or (not value and isinstance(value, (str, bytes, list, tuple, dict))))


def _stands_empty(model: type[FromOutside], name: str, item: object) -> bool:
    return (name in model.MAY_BE_EMPTY and item in ("", b"")) or (
        name in model.model_fields and model.model_fields[name].is_required()
    )


@dataclass(frozen=True, slots=True)
class _Keys:
    names: Mapping[object, str]
    """Every spelling, as text and as bytes, and the name it stands for."""
    decisive: tuple[tuple[str, str, str], ...]
    """Folded, as it is spelled, and the name it stands for."""


@cache
def _keys(model: type[FromOutside]) -> _Keys:
    spelled = {name: name for name in (*model.model_fields, *model.NOT_BUILT)} | dict(model.OTHER_NAMES)
    names: dict[object, str] = {}
    for key, name in spelled.items():
        for spelling in (key, to_camel(key)):
            names[spelling] = names[spelling.encode()] = name
    return _Keys(
        names,
        tuple((_folded(key), key, name) for key, name in spelled.items() if key in _DECISIVE),
    )


def _look_at(
    unknown: Mapping[object, object],
    decisive: Sequence[tuple[str, str, str]],
    given: Mapping[str, object],
    context: object,
) -> None:
    for key, item in unknown.items():
        text = key.decode(errors="replace") if isinstance(key, bytes) else str(key)
        folded = _folded(text)
        same = [ours for ours in decisive if ours[0] == folded]
        for _, spelled, name in same or [ours for ours in decisive if within_one_edit(folded, ours[0])]:
            if name not in given and is_given(item):
                raise ValueError(f"{text!r} is no key of a message; did you mean {spelled!r}?")
        if isinstance(context, Reading):
            context.ignore(text)


def _folded(key: str) -> str:
    return key[:_MAX_KEY].lower().replace("_", "").replace("-", "")


def within_one_edit(one: str, other: str) -> bool:
    """Whether a letter more, less, changed, or two neighbours swapped make one the other; or nothing."""
    if abs(len(one) - len(other)) > 1:
        return False
    same = next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if same is None:
        return True
    rest, rest_of_other = one[same:], other[same:]
    return (
        rest[1:] == rest_of_other[1:]
        or rest[1:] == rest_of_other
        or rest == rest_of_other[1:]
        or (rest[:2] == rest_of_other[1::-1] and rest[2:] == rest_of_other[2:])
    )
