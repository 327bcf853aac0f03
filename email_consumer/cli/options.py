"""Options that several commands share."""

from pathlib import Path

import click

DATA = Path("data")

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA,
    show_default=True,
    help="Data directory of local mode.",
)
