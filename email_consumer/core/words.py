"""Words that operators type: `in-doubt`, `in_doubt` and `in doubt` are one word."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

_JOINED = str.maketrans("_ ", "--")


def find_word(text: str, words: Iterable[str]) -> str | None:
    """The one of `words` that is meant, None without one."""
    wanted = text.translate(_JOINED)
    return next((word for word in words if word.translate(_JOINED) == wanted), None)


class Word(StrEnum):
    """Members are found in each of these spellings; `value` is the documented one."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        word = find_word(value, [each.value for each in cls]) if isinstance(value, str) else None
        return None if word is None else cls(word)
