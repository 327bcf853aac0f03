"""What is wrong with an input, in lines that are safe to show: few and short, whatever the input."""

import re
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MAX_PROBLEMS = 20
MAX_LENGTH = 200

_PLAIN: Mapping[str, str] = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a map",
    "extra_forbidden": "is not a known field",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "frozen_set_type": "must be a list",
    "finite_number": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "missing": "is required",
    "model_attributes_type": "must be a map",
    "model_type": "must be a map",
    "set_type": "must be a list",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "tuple_type": "must be a list",
}
"""By pydantic's type of error, whose own words name types and classes of Python."""
_CHARACTERS = re.compile(r"\^\[(?P<characters>[^]]+)\]\{(?P<least>\d+),(?P<most>\d+)\}\$")
_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")


def problems(error: ValidationError, place: str = "") -> list[str]:
    """One line per problem, naming the field and never repeating its value; `place` is that of the whole."""
    found = error.errors(include_url=False)
    shown = found if len(found) <= MAX_PROBLEMS else found[: MAX_PROBLEMS - 1]
    lines = []
    for problem in shown:
        field = ".".join(str(part) for part in (place, *problem["loc"]) if part != "")
        text = in_words(problem)
        lines.append(_cut(f"{field}: {text}" if field else text))
    return lines if len(found) == len(shown) else [*lines, f"and {len(found) - len(shown):,} more"]


def in_words(problem: ErrorDetails) -> str:
    """What pydantic found, without words of Python."""
    match problem["type"]:
        case kind if kind in _PLAIN:
            return _PLAIN[kind]
        case "too_long" if isinstance(problem["input"], (str, bytes)):
            return f"must have at most {problem['ctx']['max_length']:,} characters"
        case "too_short" if isinstance(problem["input"], (str, bytes)):
            return "must not be empty"
        case "string_pattern_mismatch" if only := _CHARACTERS.fullmatch(problem["ctx"]["pattern"]):
            characters = re.sub(r".-.|.", lambda part: f" {part[0]}", only["characters"])
            return f"must be {only['least']} to {only['most']} of{characters}"
    return _MEMBER.sub(r"\1", problem["msg"].removeprefix("Value error, ")).replace("Input should be", "must be")


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 1]}…"
