"""What commands print."""

import click

from email_consumer.runtime.visible import printable_lines, without_login


def say(text: str | bytes, *, err: bool = False) -> None:
    """Print a text, or a JSON document in bytes. Servers and senders of mail wrote parts of it: they can't reach the terminal."""
    click.echo(shown(text.decode() if isinstance(text, bytes) else text), err=err)


def shown(text: str) -> str:
    """Without control characters, and without the user information of URLs."""
    return printable_lines(without_login(text))
