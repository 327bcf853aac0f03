"""Subjects and patterns of subjects, with `*` for a token and `>` for the rest."""

from collections.abc import Iterable


def matches(pattern: str, subject: str) -> bool:
    """Whether the pattern takes the subject."""
    if pattern == subject:
        return True
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(tokens) <= len(wanted):
            return False
    elif len(wanted) != len(tokens):
        return False
    return all(each in ("*", token) for each, token in zip(wanted, tokens, strict=False))


def overlap(one: str, other: str) -> bool:
    """Whether a subject exists that both patterns take."""
    left, right = one.split("."), other.split(".")
    for number, (a, b) in enumerate(zip(left, right, strict=False)):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
        if number + 1 == len(left) == len(right):
            return True
    return False


def is_literal(pattern: str) -> bool:
    return not any(token in ("*", ">") for token in pattern.split("."))


class Filter:
    """Takes what any of the patterns takes; everything without patterns."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self.takes_all = not self.patterns or ">" in self.patterns
        self._known: dict[str, bool] = {}

    def takes(self, subject: str) -> bool:
        if self.takes_all:
            return True
        known = self._known.get(subject)
        if known is None:
            if len(self._known) > 100_000:
                self._known.clear()
            known = self._known[subject] = any(matches(pattern, subject) for pattern in self.patterns)
        return known


class Transform:
    """Renames subjects on their way into a stream: `>` of the source stands for `>` of the destination."""

    def __init__(self, source: str, destination: str) -> None:
        """Only patterns that end in `>` and are literal otherwise are modelled."""
        if source[-2:] != ".>" or destination[-2:] != ".>" or "*" in source + destination:
            raise NotImplementedError(f"subject_transform from {source} to {destination}")
        self._source, self._destination = source[:-1], destination[:-1]

    def apply(self, subject: str) -> str:
        if not subject.startswith(self._source):
            return subject
        return self._destination + subject[len(self._source) :]
