"""What local mode prints at startup."""

import shlex
import sys
from pathlib import Path

from email_consumer.cli.options import DATA
from email_consumer.local.servers import LocalServers
from email_consumer.settings import Settings


def welcome(servers: LocalServers, data: Path, settings: Settings, *, names_nats: bool, key_given: bool) -> str:
    """A text for people, with a command to paste.

    Args:
        servers: already running.
        data: their data directory.
        settings: of the daemon.
        key_given: the key is one that the user has set, and no news.
        names_nats: the line must name the local server, since NATS_URL is set and would lead elsewhere.
    """
    line = [f"NATS_URL={servers.nats_url}"] if names_nats else []
    line += [_program(), "publish", "--to", "you@example.com", "--subject", "Hello", "--html", "-"]
    if data != DATA and not names_nats:
        line += ["--data", str(data)]
    return f"""
    LOCAL MODE: everything runs on this machine, and NO REAL MAIL leaves it.

    {servers.ses_endpoint + "/":<28} the sandbox, instead of Amazon SES: open it to see the mail
    {settings.server_url + "/":<28} the daemon itself: its dashboard and HTTP API
    {servers.nats_url:<28} a real nats-server, for your publishers
    {str(data) + "/":<28} their data; both stop with this program
    {_key(settings, given=key_given)}

    To send a first mail, paste this into another terminal in this directory:

    echo '<h1>It works</h1>' | {shlex.join(line)}
"""


def _key(settings: Settings, *, given: bool) -> str:
    key = "the one in API_KEY" if given else settings.api_key[0].get_secret_value()
    return f"{'API key: ' + key:<28} for the dashboard and the HTTP API; the commands find it on their own"


def _program() -> str:
    """This program as it can be called from the working directory."""
    installed = Path(sys.executable).with_name("email-consumer")
    if installed.is_relative_to(Path.cwd()):
        return str(installed.relative_to(Path.cwd()))
    return str(installed) if installed.exists() else "email-consumer"
