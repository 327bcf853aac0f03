"""Whether a backtracking engine can need more than linear time for a regular expression, decided without running it.

The pattern becomes an automaton with a state for each character it can consume. Matching is superlinear exactly where
some text leads from a loop back into that loop, and from the same loop into a later one that it also stays in: the
engine must then try every place at which the text could be divided between the two (Weber and Seidl, "On the degree of
ambiguity of finite automata", 1991, criterion IDA). A search has one loop more, in front: it may begin anywhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from re import _constants as op
from re import _parser
from typing import Any

_ALPHABET = frozenset(map(chr, range(128))) | frozenset("éſß٣\u2003\u00a0東")
_COPIES = 2
"""A repeat with a limit is unrolled this often: it can't grow with the text, however long."""

State = int


@dataclass(slots=True)
class _Part:
    """A piece of the pattern: where it can begin and end, and whether it can be empty."""

    first: frozenset[State] = frozenset()
    last: frozenset[State] = frozenset()
    nullable: bool = True


@dataclass(slots=True)
class Automaton:
    """States are positions in the pattern; being in one means that it has just consumed its character."""

    characters: list[frozenset[str]] = field(default_factory=list)
    next: list[set[State]] = field(default_factory=list)
    doubled: set[tuple[State, State]] = field(default_factory=set)
    """Steps that two nested loops offer: the engine takes both."""
    accepting: frozenset[State] = frozenset()
    start: State | None = None
    """The loop in front of a search."""
    conditional: bool = False
    """It has anchors or looks around: what was consumed may still be no match."""

    def _state(self, characters: frozenset[str]) -> _Part:
        self.characters.append(characters)
        self.next.append(set())
        state = frozenset({len(self.next) - 1})
        return _Part(state, state, nullable=False)

    def _connect(self, before: frozenset[State], after: frozenset[State]) -> None:
        for one, other in product(before, after):
            if other in self.next[one]:
                self.doubled.add((one, other))
            self.next[one].add(other)

    def _sequence(self, parts: Iterator[_Part]) -> _Part:
        whole = _Part()
        for part in parts:
            self._connect(whole.last, part.first)
            whole = _Part(
                whole.first | part.first if whole.nullable else whole.first,
                whole.last | part.last if part.nullable else part.last,
                whole.nullable and part.nullable,
            )
        return whole

    def _read(self, tokens: Any, flags: int) -> _Part:
        return self._sequence(self._one(kind, value, flags) for kind, value in tokens)

    def _one(self, kind: object, value: Any, flags: int) -> _Part:
        match kind:
            case op.AT | op.ASSERT | op.ASSERT_NOT:  # can only make fewer texts match
                self.conditional = True
                return _Part()
            case op.BRANCH:
                parts = [self._read(tokens, flags) for tokens in value[1]]
                return _Part(
                    frozenset().union(*(part.first for part in parts)),
                    frozenset().union(*(part.last for part in parts)),
                    any(part.nullable for part in parts),
                )
            case op.SUBPATTERN:
                _, added, removed, tokens = value
                return self._read(tokens, (flags | added) & ~removed)
            case op.ATOMIC_GROUP:
                return self._read(value, flags)
            case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
                least, most, tokens = value
                return self._repeat(least, most, tokens, flags)
        return self._state(frozenset(char for char in _ALPHABET if _consumes(kind, value, char, flags)))

    def _repeat(self, least: int, most: int, tokens: Any, flags: int) -> _Part:
        if most == op.MAXREPEAT:
            part = self._read(tokens, flags)
            self._connect(part.last, part.first)
            return _Part(part.first, part.last, part.nullable or least == 0)
        mandatory = min(least, _COPIES)
        parts = [self._read(tokens, flags) for _ in range(mandatory)]
        parts.append(self._optional(min(most, _COPIES) - mandatory or (most > least), tokens, flags))
        return self._sequence(iter(parts))

    def _optional(self, times: int, tokens: Any, flags: int) -> _Part:
        """The second only after the first: no text has two ways through."""
        if not times:
            return _Part()
        more = (self._read(tokens, flags), self._optional(times - 1, tokens, flags))
        whole = self._sequence(iter(more))
        return _Part(whole.first, whole.last)


def automaton(pattern: str | bytes, flags: int, *, search: bool) -> Automaton:
    """Of a pattern that is matched from the beginning, or searched for."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    tree = _parser.parse(text, flags)
    made = Automaton()
    anywhere = made._state(_ALPHABET) if search else _Part()
    if search:
        made._connect(anywhere.last, anywhere.first)
        [made.start] = anywhere.first
    whole = made._read(tree, tree.state.flags)
    made._connect(anywhere.last, whole.first)
    made.accepting = whole.last
    return made


def superlinear(pattern: str | bytes, flags: int = 0, *, search: bool) -> bool:
    """Whether some text makes the engine need more than linear time."""
    made = automaton(pattern, flags, search=search)
    reach = [_reachable(made, state) for state in range(len(made.next))]
    looping = [state for state in range(len(made.next)) if state in reach[state]]
    if any(one in reach[other] for one, other in made.doubled):
        return True
    return any(
        _divisible(made, reach, one, other)
        for one, other in product(looping, looping)
        if one != other
        and other in reach[one]
        # A search whose loop may end anywhere has found what it looked for: nothing is tried again.
        and not (one == made.start and other in made.accepting and not made.conditional)
    )


def _divisible(made: Automaton, reach: list[set[State]], one: State, other: State) -> bool:
    """Whether one text leads from `one` to itself, from `one` to `other`, and from `other` to itself."""
    seen, waiting = {(one, one, other)}, [(one, one, other)]
    while waiting:
        here = waiting.pop()
        for there in product(made.next[here[0]], made.next[here[1]], made.next[here[2]]):
            first, second, third = there
            if there in seen or one not in reach[first] or other not in reach[second] or other not in reach[third]:
                continue
            if not made.characters[first] & made.characters[second] & made.characters[third]:
                continue
            if there == (one, other, other):
                return True
            seen.add(there)
            waiting.append(there)
    return False


def _reachable(made: Automaton, state: State) -> set[State]:
    """In one step or more."""
    seen: set[State] = set()
    waiting = list(made.next[state])
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting.extend(made.next[here])
    return seen


def _consumes(kind: object, value: Any, char: str, flags: int) -> bool:
    folded = {char, char.lower(), char.upper()} if flags & re.IGNORECASE else {char}
    match kind:
        case op.ANY:
            return char != "\n" or bool(flags & re.DOTALL)
        case op.LITERAL:
            return any(ord(each) == value for each in folded if len(each) == 1)
        case op.NOT_LITERAL:
            return all(ord(each) != value for each in folded if len(each) == 1)
        case op.IN:
            negated = value[0][0] is op.NEGATE
            inside = any(_within(item, each, flags) for item in value[negated:] for each in folded if len(each) == 1)
            return inside != negated
    raise AssertionError(f"{kind} is not handled")


_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def _within(item: Any, char: str, flags: int) -> bool:
    kind, value = item
    match kind:
        case op.LITERAL:
            return bool(ord(char) == value)
        case op.RANGE:
            return bool(value[0] <= ord(char) <= value[1])
        case op.CATEGORY:
            return re.match(_CATEGORIES[value], char, flags & re.ASCII) is not None
    raise AssertionError(f"{kind} is not handled")
