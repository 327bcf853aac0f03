"""What is wrong with an input, in lines that are safe to show."""

from pydantic import ValidationError


def problems(error: ValidationError) -> list[str]:
    """One line per problem, naming the field and never repeating its value."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {text}" if place else text)
    return lines
