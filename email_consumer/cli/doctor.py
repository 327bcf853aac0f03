"""`email-consumer doctor`: checks the installation and suggests fixes."""

import sys
from pathlib import Path

import click
import uvloop

from email_consumer.cli.configuration import prefer_running
from email_consumer.cli.options import data_option
from email_consumer.cli.terminal import say
from email_consumer.doctor.examination import examine, send_through, unreadable
from email_consumer.doctor.finding import Finding, worst
from email_consumer.doctor.report import as_json, as_text
from email_consumer.observe.level import LogFilter
from email_consumer.observe.logging import configure
from email_consumer.settings import Settings, SettingsError, load_settings


@click.command()
@click.option("--json", "as_document", is_flag=True, help="Print the findings as one JSON document.")
@click.option("--send", is_flag=True, help="Also send a mail to SES's bounce simulator and follow it all the way.")
@data_option
def command(*, as_document: bool, send: bool, data: Path) -> None:
    """Check the settings, NATS, SES, SNS and this machine, and suggest fixes.

    Changes nothing, except that --send puts an address of SES's simulator on the suppression list and removes it again.
    Exit code: 0 if all is well, 1 if there are warnings, 2 if there are errors.

    Without NATS_URL, checks a `run --local` that is running in the data directory.
    """
    prefer_running(data)
    findings = _findings(send=send)
    if as_document:
        say(as_json(findings))
    else:
        click.echo(as_text(findings))  # it is already colored
    raise click.exceptions.Exit(worst(findings).exit_code)


def _findings(*, send: bool) -> list[Finding]:
    try:
        settings = load_settings()
    except SettingsError as errors:
        return unreadable(str(errors))
    _quiet(settings)
    return uvloop.run(_examine(settings, send=send))


async def _examine(settings: Settings, *, send: bool) -> list[Finding]:
    findings = await examine(settings)
    return findings + await send_through(settings) if send else findings


def _quiet(settings: Settings) -> None:
    """The findings are the output; logs only if LOG_LEVEL asks for them."""
    level = settings.log_level if "log_level" in settings.model_fields_set else "critical"
    configure(LogFilter.parse(level), settings.log_format, sys.stderr)
