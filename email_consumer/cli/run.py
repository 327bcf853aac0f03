"""`email-consumer run`: the daemon; in local mode together with its own servers."""

import asyncio
import os
import signal
from pathlib import Path
from typing import cast

import click

from email_consumer import roles as daemon
from email_consumer.cli.configuration import load, serving
from email_consumer.cli.options import data_option
from email_consumer.cli.serve import serve
from email_consumer.cli.terminal import say
from email_consumer.cli.welcome import welcome
from email_consumer.local.ports import free_port
from email_consumer.local.servers import LocalServers
from email_consumer.settings import Settings


@click.command()
@click.option("--local", is_flag=True, help="With an embedded nats-server and the sandbox. No real mail is sent.")
@data_option
def command(*, local: bool, data: Path) -> None:
    """Run worker and sidecar in one process. SIGTERM or SIGINT finishes the mail in flight and exits."""
    settings = serving(local=local)
    serve(_run_local(data, settings) if local else daemon.run(settings))


async def _run_local(data: Path, given: Settings) -> None:
    # Until the daemon handles signals, a signal must still stop the servers.
    cancel = cast("asyncio.Task[None]", asyncio.current_task()).cancel
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, cancel)
    nats_url_before = os.environ.get("NATS_URL")
    key = ",".join(key.get_secret_value() for key in given.api_key)
    async with LocalServers(data, free_port(given.server_port), key) as servers:
        servers.configure(os.environ)
        settings = load()
        say(welcome(servers, data, settings, names_nats=nats_url_before is not None, key_given=bool(key)))
        await daemon.run(settings, local=True)
