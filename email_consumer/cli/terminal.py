"""What commands print."""

from collections.abc import Callable, Iterable
from typing import Any

import click
import orjson

from email_consumer.runtime.visible import printable_lines, without_login


def say(text: str | bytes, *, err: bool = False) -> None:
    """Print a text, or a JSON document in bytes. Parts of it may be untrusted, so control characters are removed."""
    click.echo(safe_text(text.decode() if isinstance(text, bytes) else text), err=err)


def say_each(
    entries: Iterable[dict[str, Any]], line: Callable[[dict[str, Any]], str], *, as_json: bool, nothing: str
) -> None:
    """Print each entry as a line of text or of JSON.

    Without entries `nothing` is printed; with `as_json` to standard error, so that programs read JSON alone.
    """
    found = False
    for entry in entries:
        found = True
        say(orjson.dumps(entry) if as_json else line(entry))
    if not found:
        say(nothing, err=as_json)


def safe_text(text: str) -> str:
    """Without control characters, and without the user information of URLs."""
    return printable_lines(without_login(text))
