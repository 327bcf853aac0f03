"""Options that several commands share."""

from pathlib import Path

import click

from email_consumer.core.words import find_word

DATA = Path("data")

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA,
    show_default=True,
    help="Data directory of local mode.",
)


class OneOf(click.Choice[str]):
    """One of these words, however it is joined; the value is as they have it."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(find_word(value, self.choices) or value, param, ctx)
