"""The two programs of local mode, and how each is started."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from email_consumer.local.extra import find_nats_server

NATS_PORT = 4222
SANDBOX_PORT = 8025
"""Where the catchers of test mail traditionally have their page."""
_PATIENT_EVENTS = {"--event-retry-delay": "2", "--event-max-retries": "-1"}


@dataclass(frozen=True, slots=True)
class Program:
    """A server that listens on loopback only.

    Attributes:
        directory: its data, its log and its lock.
        preferred_port: taken if it is free.
        command: the command line that listens on a given port.
        is_ready: whether this line of its output says that it takes requests now.
    """

    name: str
    directory: Path
    preferred_port: int
    command: Callable[[int], Sequence[str]]
    is_ready: Callable[[str], bool]


def nats_server(directory: Path) -> Program:
    """The real nats-server with JetStream; streams outlive it."""

    def command(port: int) -> Sequence[str]:
        config = directory / "nats-server.conf"
        store = orjson.dumps(str((directory / "store").resolve())).decode()
        # The default syncs every two minutes: acknowledged messages would be lost in a power cut.
        config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: {store}, sync_interval: "1s" }}\n')
        return [find_nats_server() or "nats-server", "-c", str(config)]

    return Program("nats-server", directory, NATS_PORT, command, lambda line: "Server is ready" in line)


def sandbox(directory: Path, events_to: str) -> Program:
    """The stand-in for Amazon SES; the mails that it took outlive it, and so do events that nobody heard yet."""

    def command(port: int) -> Sequence[str]:
        options = {"--port": str(port), "--data": str(directory), "--events-to": events_to} | _PATIENT_EVENTS
        return [
            sys.executable,
            "-m",
            "ses_sandbox",
            *(word for option in options.items() for word in option),
        ]

    return Program("sandbox", directory, SANDBOX_PORT, command, lambda line: '"sandbox.ready"' in line)
