"""Which kind of fault met which step of a mail's life, how often."""

from collections import Counter

_SHOWN = 8


_WANTED = 100
"""How often every pair should have happened before its absence of violations means much."""


def rare(hits: Counter[tuple[str, str]]) -> str:
    """The pairs that happened too rarely."""
    kinds, steps = sorted({kind for kind, _ in hits}), sorted({step for _, step in hits})
    pairs = [(hits[kind, step], kind, step) for kind in kinds for step in steps]
    found = sorted(pair for pair in pairs if pair[0] < _WANTED)
    shown = "; ".join(f"{kind} while {step}: {count}" for count, kind, step in found[:_SHOWN])
    return f"{len(pairs) - len(found)} of {len(pairs)} pairs happened at least {_WANTED} times; the rarest: {shown}"


def table(hits: Counter[tuple[str, str]]) -> str:
    """Kinds of faults in rows, steps in columns."""
    kinds = sorted({kind for kind, _ in hits})
    steps = sorted({step for _, step in hits})
    if not kinds:
        return "no faults"
    width = max(len(kind) for kind in kinds)
    heads = [f"{number:>7}" for number in range(1, len(steps) + 1)]
    lines = [" " * width + "".join(heads)]
    lines += [f"{kind:<{width}}" + "".join(f"{hits[kind, step]:>7}" for step in steps) for kind in kinds]
    lines += [f"{number:>3} {step}" for number, step in enumerate(steps, 1)]
    return "\n".join(lines)
