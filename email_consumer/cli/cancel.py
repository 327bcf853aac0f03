"""`email-consumer cancel`: stops what is left of a topic."""

from pathlib import Path
from urllib.parse import quote

import click
import orjson

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar


@click.command()
@click.argument("topic")
@click.option("--json", "as_json", is_flag=True, help="The receipt as JSON.")
@data_option
def command(*, topic: str, as_json: bool, data: Path) -> None:
    """Cancel what is not sent yet of TOPIC; mail that comes later is sent."""
    receipt = ask_sidecar(answering(data), "DELETE", f"/v1/topics/{quote(topic, safe='')}")
    click.echo(orjson.dumps(receipt) if as_json else receipt_text(receipt))


def receipt_text(receipt: dict[str, object]) -> str:
    """The receipt in a sentence."""
    told = f"Cancelled {receipt['cancelled']}, sent {receipt['sent']}, in flight {receipt['in_flight']}."
    if receipt["final"]:
        return told
    return f"{told} Not final yet: what lies in the stream counts as it is pulled."
