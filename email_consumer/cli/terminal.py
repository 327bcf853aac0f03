"""What commands print."""

import click

from email_consumer.runtime.visible import printable_lines, without_login


def say(text: str | bytes, *, err: bool = False) -> None:
    """Print a text, or a JSON document in bytes. Parts of it may be untrusted, so control characters are removed."""
    click.echo(safe_text(text.decode() if isinstance(text, bytes) else text), err=err)


def safe_text(text: str) -> str:
    """Without control characters, and without the user information of URLs."""
    return printable_lines(without_login(text))
