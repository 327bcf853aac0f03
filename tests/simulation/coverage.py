"""Which kind of fault met which step of a mail's life, how often."""

from collections import Counter


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
