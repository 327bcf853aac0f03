"""Somebody else's receiver of webhooks, as a process that can be killed and stopped: it verifies, writes down, and answers."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self

from standardwebhooks import Webhook, WebhookVerificationError

from tests.servers.ports import free_ports
from tests.waiting import patience

_ROOT = Path(__file__).parents[2]


class Receipt(NamedTuple):
    """One request."""

    path: str
    id: str
    """Its `webhook-id`."""
    sent_at: int
    """Its `webhook-timestamp`, which is signed: Unix seconds."""
    verified: bool
    uuid: str | None
    """Of the event in it."""


class WebhookReceiver:
    """`async with WebhookReceiver(directory) as receiver:` ends with the block; `start` it once the secrets are known.

    What it has written down outlives a kill.
    """

    def __init__(self, directory: Path) -> None:
        [self._port] = free_ports(1)  # the next life listens on the same
        self._file = directory / "receipts"
        self._secrets: dict[str, str] = {}
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    def url(self, path: str) -> str:
        """Of one of its endpoints; `path` begins with a slash."""
        return f"http://127.0.0.1:{self._port}{path}"

    async def start(self, secrets: dict[str, str]) -> None:
        """Listen. `secrets`: by the endpoint's path."""
        self._secrets = secrets
        command = [sys.executable, "-m", __name__, str(self._port), str(self._file), json.dumps(secrets)]
        self._process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdout=PIPE)
        assert self._process.stdout
        async with patience():
            assert await self._process.stdout.readline(), "the receiver did not start"

    async def kill(self) -> None:
        """SIGKILL. Killing what does not run is no error."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def stop(self) -> None:
        """SIGSTOP: the kernel still accepts connections and requests, and nobody answers."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    async def come_back(self) -> None:
        """From a kill or a stop, whichever it was."""
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
        else:
            await self.start(self._secrets)

    def receipts(self) -> list[Receipt]:
        """Of all requests so far, over all its lives."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [Receipt(*json.loads(line)) for line in lines]


class _Handler(BaseHTTPRequestHandler):
    """A request is on file before it is answered."""

    protocol_version = "HTTP/1.1"
    secrets: dict[str, str]
    file: int

    def handle(self) -> None:
        with suppress(ConnectionError):  # the sender died
            super().handle()

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # the sender died: that was no request
            self.close_connection = True
            return
        try:
            event = Webhook(self.secrets[self.path]).verify(body, dict(self.headers))
        except WebhookVerificationError:
            event = None
        uuid = event.get("uuid") if isinstance(event, dict) else None
        sent_at = int(self.headers["webhook-timestamp"])
        receipt = Receipt(self.path, self.headers["webhook-id"], sent_at, event is not None, uuid)
        os.write(self.file, json.dumps(receipt).encode() + b"\n")
        self.send_response(HTTPStatus.OK if receipt.verified else HTTPStatus.UNAUTHORIZED)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main(port: str, file: str, secrets: str) -> None:
    """Until killed; says a line once it listens."""
    _Handler.secrets = json.loads(secrets)
    _Handler.file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), _Handler)
    server.daemon_threads = True
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
