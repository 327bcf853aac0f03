"""`email-consumer domains`: what became of mail by its recipients' domain."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import orjson

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say

_COLUMNS = ("delivered", "delays", "bounced", "soft_bounced", "complained")


@click.command()
@click.argument("domain", required=False)
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True, help="Including today (UTC).")
@click.option("--limit", type=click.IntRange(1, 500), default=25, show_default=True, help="Maximum number of domains.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_option
def command(*, domain: str | None, days: int, limit: int, as_json: bool, data: Path) -> None:
    """Show deliveries, delays, bounces and complaints by domain; those of DOMAIN by day, with the reasons of delays."""
    query = urlencode({"days": days, "limit": limit, "domain": domain or ""})
    found = ask_sidecar(answering(data), "GET", f"/v1/domains?{query}")
    if as_json:
        say(orjson.dumps(found))
    elif not found["domains"]:
        say("No events of that time.")
    elif report := found["report"]:
        lines = [_table("day", report["by_day"])]
        lines += [f"{each['delays']:>9,}  delays: {each['text']}" for each in report["delay_reasons"]]
        say("\n".join(lines))
    else:
        say(_table("domain", found["domains"]))


def _table(name: str, rows: list[dict[str, Any]]) -> str:
    width = max(len(name), *(len(row[name]) for row in rows))
    head = f"{name:<{width}}" + "".join(f"  {column:>12}" for column in _COLUMNS)
    return "\n".join(
        [head, *(f"{row[name]:<{width}}" + "".join(f"  {row[column]:>12,}" for column in _COLUMNS) for row in rows)]
    )
