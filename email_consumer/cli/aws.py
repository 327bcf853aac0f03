"""`email-consumer aws`: plans, makes and removes what an installation has at AWS."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
import uvloop
from dns.asyncresolver import Resolver

from email_consumer.aws.control_plane import ControlPlane, control_plane
from email_consumer.aws.errors import AwsError
from email_consumer.aws_setup import dns_check, environment, report
from email_consumer.aws_setup.apply import apply as carry_out
from email_consumer.aws_setup.apply import destroy as remove_all
from email_consumer.aws_setup.apply import removals
from email_consumer.aws_setup.installation import Options, account_of, values_of
from email_consumer.aws_setup.plan import Plan, make_plan
from email_consumer.aws_setup.values import Values
from email_consumer.cli.configuration import BadSettings
from email_consumer.cli.confirmation import confirm, yes_option
from email_consumer.cli.terminal import say
from email_consumer.observe.level import LogFilter
from email_consumer.observe.logging import configure
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.loopback import is_loopback
from email_consumer.settings import Settings, SettingsError, load_settings

_Answer = TypeVar("_Answer")

_ATTEMPTS = 4
_PAUSE = 30.0
"""Seconds between looks at the DNS."""


@click.group()
def command() -> None:
    """Set up SES, SNS, SQS and IAM for this installation, from its settings.

    Nothing is changed that this command didn't make; what it makes carries the tag `email-consumer`.
    """


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--name", default="email-consumer", show_default=True, help="Value of the tag; begins other names."),
    click.option("--domain", help="The domain to send from.  [default: that of FROM_EMAIL]"),
    click.option("--mail-from", help="Domain of the return path.  [default: bounce.<domain>]"),
    click.option(
        "--events",
        type=click.Choice(("https", "sqs")),
        help="How events arrive.  [default: sqs with a queue's URL set]",
    ),
    click.option("--mail-queues", is_flag=True, help="Also queues of mail, as where SOURCE names sqs."),
    click.option("--tenant", "tenants", multiple=True, metavar="NAME", help="Also this tenant; may be repeated."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
)


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), function)


@command.command()
@_with_options
def plan(*, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - see _OPTIONS
    """Show what exists, what differs and what would be made.

    Changes nothing. Exit code 1 if something of others is in the way.
    """
    settings = _settings()

    async def run() -> Plan:
        async with _aws(settings) as aws:
            return await make_plan(aws, await _values(aws, settings, **options))

    found = _run(run())
    variables = environment.variables(found, settings)
    say(orjson.dumps(report.as_document(found, variables)) if as_json else report.as_text(found, "plan"))
    if found.conflicts:
        raise click.exceptions.Exit(1)


@command.command()
@_with_options
@yes_option
@click.option("--env-file", type=click.Path(dir_okay=False, path_type=Path), help="Add the settings to this file.")
@click.option("--wait", is_flag=True, help="Wait until the DNS has the records.")
@click.option("--timeout", type=click.FloatRange(min=0), default=3600, show_default=True, help="Seconds to wait.")
@click.option("--resolver", metavar="IP[:PORT]", help="The DNS server to ask.  [default: this machine's]")
def apply(
    *,
    as_json: bool,
    yes: bool,
    env_file: Path | None,
    wait: bool,
    timeout: float,
    resolver: str | None,
    **options: Any,  # noqa: ANN401 - see _OPTIONS
) -> None:
    """Make what is absent. Run it again to go on after an error, or to see that nothing is left to do."""
    settings = _settings()
    asked = dns_check.resolver(resolver) if wait else None

    async def run() -> tuple[Plan, list[str]]:
        async with _aws(settings) as aws:
            before = await make_plan(aws, await _values(aws, settings, **options))
            if before.changes and not before.conflicts:
                say(report.as_text(before, "apply"), err=as_json)
                confirm("Do this?", yes=yes)
            done = []
            async for step in carry_out(aws, before):
                say(f"done: {step.kind.label} {step.name}", err=as_json)
                done.append(step.wanted.id)
            return await make_plan(aws, before.values) if done else before, done

    after, done = _run(run())
    variables = environment.variables(after, settings)
    if as_json:
        say(orjson.dumps(report.as_document(after, variables, done)))
    else:
        say(f"\n{report.as_text(after, 'apply')}\n\n{report.what_is_left(after, variables)}")
    if env_file:
        for name, value in environment.write(env_file, variables).items():
            say(f"{env_file} has {name}={value}, which was left.", err=True)
    if asked:
        _wait(after, asked, timeout)


@command.command()
@_with_options
@yes_option
def destroy(*, as_json: bool, yes: bool, **options: Any) -> None:  # noqa: ANN401 - see _OPTIONS
    """Remove what carries the tag. While others keep something in it, or mail waits there, nothing is removed."""
    settings = _settings()

    async def run() -> list[str]:
        async with _aws(settings) as aws:
            values = await _values(aws, settings, **options)
            planned = await removals(aws, values)
            for each in planned:
                say(f"remove  {each.text}", err=as_json)
            if planned:
                confirm("Remove all of this?", yes=yes)
            removed = []
            async for each in remove_all(aws, values):
                say(f"removed: {each.text}", err=as_json)
                removed.append(each.text)
            return removed

    removed = _run(run())
    if as_json:
        say(orjson.dumps({"removed": removed}))
    elif not removed:
        say("There is nothing that carries the tag.")


def _run(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    try:
        return uvloop.run(work)
    except AwsError as error:
        raise OperatorError(f"{error} {error.fix}".strip()) from error


def _settings() -> Settings:
    """Those of the environment; the queue of SOURCE=sqs may be one that is yet to be made."""
    environ = dict(os.environ)
    if "sqs" in environ.get("SOURCE", "") and not environ.get("SQS_QUEUE_URL"):
        environ["SOURCE"] = "nats"
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        raise BadSettings(str(error)) from None
    level = settings.log_level if "log_level" in settings.model_fields_set else "warning"
    configure(LogFilter.parse(level), settings.log_format, sys.stderr)
    return settings


@asynccontextmanager
async def _aws(settings: Settings) -> AsyncIterator[ControlPlane]:
    async with control_plane(
        region=settings.aws_region,
        ses_endpoint=settings.ses_endpoint,
        sns_endpoint=settings.sns_endpoint,
        sqs_endpoint=settings.sqs_endpoint,
        per_second=1 if settings.ses_endpoint is None or not is_loopback(settings.ses_endpoint) else 1_000,
        attempts=_ATTEMPTS,
    ) as aws:
        yield aws


async def _values(
    aws: ControlPlane,
    settings: Settings,
    *,
    name: str,
    domain: str | None,
    mail_from: str | None,
    events: str | None,
    mail_queues: bool,
    tenants: tuple[str, ...],
) -> Values:
    queues = mail_queues or "sqs" in settings.source or "sqs" in os.environ.get("SOURCE", "")
    options = Options(name, domain, mail_from, events, mail_queues=queues, tenants=tenants)
    return values_of(settings, options, await account_of(aws, settings.aws_region))


def _wait(plan: Plan, asked: Resolver, timeout: float) -> None:
    records = report.records(plan)
    absent = uvloop.run(dns_check.wait_for(asked, records, patience=timeout, pause=min(_PAUSE, timeout)))
    for record in absent:
        say(f"not in the DNS: {record.line}", err=True)
    if any(not record.suggested for record in absent):
        raise click.exceptions.Exit(1)
