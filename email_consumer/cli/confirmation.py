"""Asking before something that can't be undone, where a person is there to answer."""

import sys

import click

yes_option = click.option(
    "--yes", "-y", is_flag=True, help="Don't ask for confirmation. Without a terminal, no command asks."
)


def confirm(question: str, *, yes: bool) -> None:
    """Return if it may be done.

    Raises:
        click.Abort: the answer was no.
    """
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)
