"""requirements.lock as a graph: what is installed because of what."""

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[3]
_PROJECTS = {"email-consumer", "email-consumer-client", "ses-sandbox"}


def closure(requirements: Iterable[str]) -> dict[str, str]:
    """Name and version of the distributions that the lock has for these requirements, and for theirs in turn.

    All platforms together. Extras are not distinguished: what one of them needs counts as needed.
    """
    pins = _pins()
    found = {_name(text) for text in requirements} & pins.keys()
    while more := {name for name, (_, parents) in pins.items() if name not in found and parents & found}:
        found |= more
    return {name: pins[name][0] for name in found}


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def _pins() -> dict[str, tuple[str, set[str]]]:
    """Each distribution: its version, and the distributions whose requirements name it."""
    pins = {}
    for block in re.split(r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition("==")
        via = set(re.findall(r"^    #(?: via|  ) +([a-z0-9-]+)", block, re.MULTILINE))
        pins[name] = (rest.split()[0], via - _PROJECTS)
    return pins
