"""`email-consumer dlq`: dead letters, listed, shown, replayed and removed."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import orjson
import uvloop
from nats.errors import Error as NatsError

from email_consumer.cli.configuration import answering
from email_consumer.cli.confirmation import confirm, yes_option
from email_consumer.cli.connection import nats_connection
from email_consumer.cli.dead_letter_view import attributes, full, table
from email_consumer.cli.options import OneOf, data_option
from email_consumer.cli.terminal import say
from email_consumer.core.dead_letters import DeadLetterError, DeadLetterKind
from email_consumer.local.environment import use_local_nats
from email_consumer.local.servers import running_nats_url
from email_consumer.runtime.counted import counted
from email_consumer.settings import Settings
from email_consumer.settings.mail_stream import mail_stream
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from email_consumer.sources.jetstream.topology import Topology

_SEQUENCE = click.IntRange(min=1, max=2**63 - 1)

_kind_option = click.option(
    "--kind",
    "--reason",  # its earlier name
    "kind",
    type=OneOf([str(kind) for kind in DeadLetterKind]),
    help="Only dead letters of this kind.",
)


@click.group()
@data_option
def command(data: Path) -> None:
    """List dead letters, show one, replay them once the cause is fixed, or remove them.

    Without NATS_URL, uses the server of a `run --local` that is running in the data directory.
    """
    if not os.environ.get("NATS_URL") and (url := running_nats_url(data)):
        use_local_nats(os.environ, url)


@command.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option(
    "--after", type=click.IntRange(0, 2**63 - 1), default=0, metavar="SEQ", help="Only dead letters after this one."
)
@_kind_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line, without the mail itself.")
def list_(*, limit: int, after: int, kind: str | None, as_json: bool) -> None:
    """List dead letters, oldest first."""

    async def answer(letters: JetStreamDeadLetters, _: Settings) -> None:
        found = await letters.list(limit, after, kind or "*")
        if as_json:
            for letter in found:
                say(orjson.dumps(attributes(letter)))
            return
        say(table(found) if found else "No dead letters.")
        if len(found) == limit:
            say(f"There may be more: --after {found[-1].sequence}", err=True)

    _ask(answer)


@command.command()
@click.argument("sequence", metavar="SEQ", type=_SEQUENCE)
def show(sequence: int) -> None:
    """Show one dead letter: why it is there, its headers, and the mail."""

    async def answer(letters: JetStreamDeadLetters, settings: Settings) -> None:
        say(full(await letters.get(sequence), ZoneInfo(settings.timezone)))

    _ask(answer)


@command.command()
@click.argument("sequences", metavar="SEQ...", type=_SEQUENCE, nargs=-1)
@click.option("--all", "every", is_flag=True, help="All current dead letters.")
@_kind_option
@click.option(
    "--new-uuid", is_flag=True, help="Give each a new UUID, which makes it another mail; needed for conflicts."
)
def replay(sequences: Sequence[int], *, every: bool, kind: str | None, new_uuid: bool) -> None:
    """Publish dead letters again. Each one is removed from the list once the stream has stored it."""
    _check_choice(sequences, every=every, kind=kind)

    async def answer(letters: JetStreamDeadLetters, settings: Settings) -> None:
        async def replay_one(sequence: int) -> None:
            replayed = await letters.replay(sequence, new_uuid=new_uuid)
            say(f"{sequence} → {settings.stream}:{replayed.sequence}" + (f" as {replayed.uuid}" if new_uuid else ""))

        await _each(await _chosen(letters, sequences, every=every, kind=kind), replay_one, "replayed")

    _ask(answer)


@command.command()
@click.argument("sequences", metavar="SEQ...", type=_SEQUENCE, nargs=-1)
@click.option("--all", "every", is_flag=True, help="All current dead letters.")
@_kind_option
@yes_option
def remove(*, sequences: Sequence[int], every: bool, kind: str | None, yes: bool) -> None:
    """Delete dead letters permanently. Each one is the only copy of its mail."""
    _check_choice(sequences, every=every, kind=kind)

    async def answer(letters: JetStreamDeadLetters, _: Settings) -> None:
        chosen = await _chosen(letters, sequences, every=every, kind=kind)
        confirm(f"Delete {counted(len(chosen), 'dead letter')} for good?", yes=yes)
        await _each(chosen, letters.remove, "removed")

    _ask(answer)


def _check_choice(sequences: Sequence[int], *, every: bool, kind: str | None) -> None:
    if every == bool(sequences):
        raise click.UsageError("give the SEQ of each, as `dlq list` shows it, or --all")
    if kind and not every:
        raise click.UsageError("--reason goes with --all")


async def _chosen(
    letters: JetStreamDeadLetters, sequences: Sequence[int], *, every: bool, kind: str | None
) -> Sequence[int]:
    # Noted before the first is replayed: what fails again comes back after these, and would never end.
    return [letter.sequence async for letter in letters.walk(kind=kind or "*")] if every else sequences


async def _each(sequences: Sequence[int], act: Callable[[int], Awaitable[None]], done: str) -> None:
    refused = 0
    for sequence in sequences:
        try:
            await act(sequence)
        except DeadLetterError as error:
            refused += 1
            say(str(error), err=True)
    say(f"{len(sequences) - refused} of {len(sequences)} {done}")
    if refused:
        raise click.exceptions.Exit(1)


def _ask(answer: Callable[[JetStreamDeadLetters, Settings], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = answering()
        async with _dead_letters(settings) as letters:
            await answer(letters, settings)

    uvloop.run(run())


@asynccontextmanager
async def _dead_letters(settings: Settings) -> AsyncIterator[JetStreamDeadLetters]:
    async with nats_connection(settings) as client:
        try:
            lane = Topology(client, mail_stream(settings)).transactional
            await lane.find()
            yield JetStreamDeadLetters(
                client,
                stream=settings.stream,
                subject=settings.subject,
                replicas=settings.nats_replicas,
                transactional=lane,
            )
        except (NatsError, TimeoutError) as error:
            raise click.ClickException(f"JetStream did not answer as it should, is it enabled? ({error})") from None
