"""`email-consumer doctor`: what is wrong, and how to mend it."""

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
@click.option("--json", "as_document", is_flag=True, help="One JSON document, for programs.")
@click.option("--send", is_flag=True, help="Then send a mail to SES's bounce simulator, and follow it all the way.")
@data_option
def command(*, as_document: bool, send: bool, data: Path) -> None:
    """Look at the settings, NATS, SES, SNS, this machine, and say what is wrong and how to mend it.

    Changes nothing, but for --send, which puts an address of SES's simulator on the suppression list and takes it off
    again. The exit code is 0 if all is well, 1 if there are warnings, 2 if there are errors.

    Without NATS_URL, and with `run --local` at work on the data directory, it is that one that is looked at.
    """
    prefer_running(data)
    findings = _findings(send=send)
    if as_document:
        say(as_json(findings))
    else:
        click.echo(as_text(findings))  # it has colors of its own
    raise click.exceptions.Exit(worst(findings).exit_code)


def _findings(*, send: bool) -> list[Finding]:
    try:
        settings = load_settings()
    except SettingsError as faults:
        return unreadable(str(faults))
    _quiet(settings)
    return uvloop.run(_look(settings, send=send))


async def _look(settings: Settings, *, send: bool) -> list[Finding]:
    findings = await examine(settings)
    return findings + await send_through(settings) if send else findings


def _quiet(settings: Settings) -> None:
    """The findings say it all; logs only where LOG_LEVEL asks for them."""
    level = settings.log_level if "log_level" in settings.model_fields_set else "critical"
    configure(LogFilter.parse(level), settings.log_format, sys.stderr)
