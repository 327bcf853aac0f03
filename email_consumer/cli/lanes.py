"""`email-consumer lanes`: the lane of transactional mail in the stream."""

import click
import uvloop
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from email_consumer.cli.configuration import answering
from email_consumer.cli.confirmation import confirm, yes_option
from email_consumer.cli.connection import nats_connection
from email_consumer.cli.terminal import say
from email_consumer.runtime.counted import counted
from email_consumer.settings import Settings
from email_consumer.settings.mail_stream import mail_stream
from email_consumer.sources.jetstream.topology import Topology


@click.group()
def command() -> None:
    """The lane of transactional mail, which never waits for bulk mail."""


@command.command()
@yes_option
def adopt(*, yes: bool) -> None:
    """Send mail that lies unread in the new lane.

    That is mail which was published on TRANSACTIONAL_SUBJECT before anybody read it.

    It is never sent unasked, since it may be old. To have it deleted instead, purge the subject.
    """

    async def run() -> None:
        settings = answering()
        async with nats_connection(settings) as client:
            try:
                await _adopt(client, settings, yes=yes)
            except (NatsError, TimeoutError) as error:
                raise click.ClickException(f"JetStream did not answer as it should, is it enabled? ({error})") from None

    uvloop.run(run())


async def _adopt(client: Client, settings: Settings, *, yes: bool) -> None:
    topology = Topology(client, mail_stream(settings))
    lane = topology.transactional
    try:
        waiting = await lane.unread()
    except NotFoundError:
        raise click.ClickException(f"there is no stream {settings.stream}; `email-consumer run` creates it") from None
    if not waiting:
        say(f"Nothing to adopt: no mail lies on {lane.subject} unread.")
        return
    confirm(f"Send the {counted(waiting, 'mail')} on {lane.subject}?", yes=yes)
    await topology.ensure(adopt=True)
    if lane.missing:
        raise click.ClickException(f"there is no lane of transactional mail: {lane.missing}")
    say(f"{counted(waiting, 'mail')} on {lane.subject} will be sent once each `run` or `worker` is restarted.")
