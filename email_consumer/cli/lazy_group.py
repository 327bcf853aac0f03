"""A click group that loads a command's module only when that command is called, so that each starts fast."""

import gc
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from email_consumer.cli.terminal import safe_text
from email_consumer.runtime.errors import OperatorError


class LazyGroup(click.Group):
    """The command `NAME` is the object `command` of the module `<package>.NAME`.

    Args:
        package: where the modules of the commands are.
        summaries: each command's name and its line in the help, in the order to show them.
    """

    def __init__(self, *args: Any, package: str, summaries: Mapping[str, str], **options: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **options)
        self._package = package
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in self._summaries:
            return None
        gc.disable()  # what modules define stays alive; collecting takes a seventh of the startup time
        command = import_module(f"{self._package}.{cmd_name}").command
        gc.enable()
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._package}.{cmd_name}.command is not a click command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse bytes that are no text, which Python passes on as lone surrogates: no message could carry them."""
        for arg in args:
            if not arg.isascii() and any("\ud800" <= character <= "\udfff" for character in arg):
                raise click.UsageError(f"not UTF-8: {safe_text(arg)}", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; error messages are printed without control characters, since they may contain untrusted text."""
        try:
            return super().invoke(ctx)
        except OperatorError as error:
            raise click.ClickException(safe_text(str(error))) from None
        except click.ClickException as error:
            error.message = safe_text(error.message)  # type: ignore[misc]  # final only for those who derive from it
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))
