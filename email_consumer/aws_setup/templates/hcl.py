"""Terraform's language, as `terraform fmt` would write it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_INDENT = "  "
_WIDTH = 80
"""Characters of a list's items on one line."""
_NAME = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True, slots=True)
class Raw:
    """An expression, as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function, an argument on a line each."""

    name: str
    arguments: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """A list that is empty unless the condition holds."""

    condition: str
    items: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Block:
    """Such as `resource "aws_sns_topic" "events" { … }`."""

    kind: str
    labels: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    blocks: tuple["Block", ...] = ()


def document(blocks: Sequence[Block]) -> str:
    """The blocks, an empty line between each two."""
    return "\n".join("\n".join([*_block(block, ""), ""]) for block in blocks)


def _block(block: Block, indent: str) -> list[str]:
    head = " ".join([block.kind, *(f'"{label}"' for label in block.labels)])
    inner = indent + _INDENT
    lines = _attributes(block.attributes, inner)
    for each in block.blocks:
        lines += [*([""] if lines else []), *_block(each, inner)]
    return [f"{indent}{head} {{", *lines, f"{indent}}}"] if lines else [f"{indent}{head} {{}}"]


def _attributes(attributes: Mapping[str, Any], indent: str) -> list[str]:
    """Equals signs of neighbours that have one line each are in one column."""
    written = [
        (key if _NAME.fullmatch(key) else f'"{key}"', _expression(value, indent)) for key, value in attributes.items()
    ]
    lines: list[str] = []
    group: list[tuple[str, str]] = []
    for name, text in written:
        if "\n" in text:
            lines += [*_aligned(group, indent), f"{indent}{name} = {text}"]
            group = []
        else:
            group.append((name, text))
    return lines + _aligned(group, indent)


def _aligned(group: Sequence[tuple[str, str]], indent: str) -> list[str]:
    wide = max((len(name) for name, _ in group), default=0)
    return [f"{indent}{name:<{wide}} = {text}" for name, text in group]


def _expression(value: Any, indent: str) -> str:  # noqa: ANN401 - see the cases
    inner = indent + _INDENT
    match value:
        case Raw():
            return value.text
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Call(name=name, arguments=[only]):
            return f"{name}({_expression(only, indent)})"
        case Call():
            arguments = "".join(f"{inner}{_expression(each, inner)},\n" for each in value.arguments)
            return f"{value.name}(\n{arguments}{indent})"
        case Choice():
            return f"{value.condition} ? {_expression(list(value.items), indent)} : []"
        case Mapping():
            return "\n".join(["{", *_attributes(value, inner), f"{indent}}}"])
        case _:
            items = [_expression(each, inner) for each in value]
            if any("\n" in item for item in items) or len(indent) + sum(map(len, items)) > _WIDTH:
                return "\n".join(["[", *(f"{inner}{item}," for item in items), f"{indent}]"])
            return f"[{', '.join(items)}]"
