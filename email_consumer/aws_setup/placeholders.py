"""Texts of the description, taken apart at their placeholders."""

import re

_PLACEHOLDER = re.compile(r"\$\{([\w:.]+)\}")


def parts(text: str) -> list[tuple[str, bool]]:
    """Literal parts and names of placeholders in turn; the flag says that it is a name."""
    found = [(part, place % 2 == 1) for place, part in enumerate(_PLACEHOLDER.split(text))]
    return [(part, is_name) for part, is_name in found if part]


def only_name(text: str) -> str | None:
    """The placeholder's name, if the text is nothing else."""
    match = _PLACEHOLDER.fullmatch(text)
    return match[1] if match else None
