"""`email-consumer erase`: erases one address."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson
import uvloop

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say
from email_consumer.message.address import normal_form
from email_consumer.runtime.counted import counted
from email_consumer.settings import Settings
from email_consumer.settings.kept_streams import kept_streams
from email_consumer.store.database import StoreInUseError, open_database
from email_consumer.store.erasure import erase


@click.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
@data_option
def command(*, address: str, as_json: bool, data: Path) -> None:
    """Erase ADDRESS from all tables, through the running program or, if none is running, directly.

    Its mail stays in the statistics under a made-up name; unsent mail is stopped. The address stays on the suppression
    list, so that it still gets no mail.
    """
    try:
        normal = normal_form(address)
    except ValueError as error:
        raise click.UsageError(f"ADDRESS {error}") from None
    receipt = _erase(answering(data), normal)
    say(orjson.dumps(receipt) if as_json else _text(receipt))


def _erase(settings: Settings, address: str) -> dict[str, Any]:
    if settings.ledger == "jetstream":  # there is a copy of the rows in NATS, which only the sidecar keeps in step
        return _by_sidecar(settings, address)
    if not settings.db_path.exists():
        raise click.ClickException(f"DB_PATH: {settings.db_path} does not exist")
    try:
        return uvloop.run(_directly(settings, address))
    except StoreInUseError:
        return _by_sidecar(settings, address)


def _by_sidecar(settings: Settings, address: str) -> dict[str, Any]:
    receipt: dict[str, Any] = ask_sidecar(settings, "POST", "/v1/erasures", {"address": address}, takes_long=True)
    return receipt


async def _directly(settings: Settings, address: str) -> dict[str, Any]:
    async with open_database(settings.db_path, group_reads=settings.db_group_read) as database:
        return asdict(await erase(database, address, kept_streams(settings))) | {"unseen": None}


def _text(receipt: dict[str, Any]) -> str:
    mails = f"{counted(receipt['mails'], 'mail')} made anonymous, {receipt['stopped']:,} of them stopped before they were sent"
    lines = [f"{mails}; {counted(receipt['contents'], 'content')} and {counted(receipt['events'], 'event')} deleted."]
    if receipt["suppressed"]:
        lines.append("The address is on the suppression list and stays there, so that it goes on stopping mail.")
    if receipt["contents_kept"]:
        lines.append(
            f"{receipt['contents_kept']} contents that name it are still to be sent to others: erase again after that."
        )
    if receipt["streams"]:
        lines.append(
            f"Messages that name it are deleted from {' and '.join(receipt['streams'])} while the program runs."
        )
    unseen = counted(receipt["unseen"], "mail") if receipt["unseen"] is not None else "mail"
    lines.append(
        f"Not looked at: {unseen} in the queue that no worker has claimed, dead letters in SQS, backups, and Amazon's side. "
        "Events of mail of the last days may still come; erase again then."
    )
    return "\n".join(lines)
