"""What is wrong with an input, in lines that are safe to show: few and short, whatever the input."""

from pydantic import ValidationError

MAX_PROBLEMS = 20
MAX_LENGTH = 200


def problems(error: ValidationError, place: str = "") -> list[str]:
    """One line per problem, naming the field and never repeating its value; `place` is that of the whole."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown = found if len(found) <= MAX_PROBLEMS else found[: MAX_PROBLEMS - 1]
    lines = []
    for problem in shown:
        field = ".".join(str(part) for part in (place, *problem["loc"]) if part != "")
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(_cut(f"{field}: {text}" if field else text))
    return lines if len(found) == len(shown) else [*lines, f"and {len(found) - len(shown):,} more"]


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 1]}…"
