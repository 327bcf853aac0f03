"""`email-consumer secret`: the secret that signs the links in mail, by the running sidecar."""

from pathlib import Path
from typing import Any

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.confirmation import confirm, yes_option
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say

_PATH = "/v1/link-secrets"
_SURE = "Open pixels and unsubscribe links in mail that was sent before stop working. Go on?"


@click.group()
def command() -> None:
    """Rotate the secret of the program running on this machine that signs open pixels and unsubscribe links."""


@command.command()
@click.option("--forget-old", is_flag=True, help="Links in all mail sent so far stop working.")
@yes_option
@data_option
def rotate(*, forget_old: bool, yes: bool, data: Path) -> None:
    """Sign links with a new secret. Links in mail sent so far keep working."""
    if forget_old:
        confirm(_SURE, yes=yes)
    answer = ask_sidecar(answering(data), "POST", _PATH, {"forget_old": forget_old})
    say(f"Links are signed with a new secret. {_kept(answer)}")


@command.command("forget-old")
@yes_option
@data_option
def forget_old(*, yes: bool, data: Path) -> None:
    """Make links signed before the last rotation stop working."""
    confirm("Open pixels and unsubscribe links of mail from before the last rotation stop working. Go on?", yes=yes)
    say(_kept(ask_sidecar(answering(data), "DELETE", f"{_PATH}/old")))


def _kept(answer: dict[str, Any]) -> str:
    old = answer["old"]
    if not old:
        return "Links that old secrets signed no longer work."
    return f"Those that {old} old secret{'s' * (old > 1)} signed go on working."
