"""Both servers of local mode, and the file by which other commands find them."""

import asyncio
import os
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import orjson

from email_consumer.local import extra
from email_consumer.local.environment import use_local_servers, use_local_sidecar
from email_consumer.local.key import keep_key
from email_consumer.local.pid_lock import PidLock
from email_consumer.local.program import nats_server, sandbox
from email_consumer.local.server_process import ServerProcess
from email_consumer.runtime import private_files
from email_consumer.runtime.errors import OperatorError

_KNOWN = "local.json"
_NEEDED = {"nats_url", "ses_endpoint", "server_port", "api_key"}
_PEEK_PATIENCE = 1.0
"""Seconds; a command that looks whether we run holds our lock for a moment."""


class DataUnusableError(OperatorError):
    """The data directory can't be used; the text names it and says why."""


class DataInUseError(DataUnusableError):
    """Another daemon in local mode works in this data directory; the text names both."""


class LocalServers:
    """`async with LocalServers(data) as servers:` runs nats-server and the sandbox until the block ends.

    What a daemon that was killed left running in `data` is ended first; what its servers stored is kept.
    """

    def __init__(self, data: Path, server_port: int, api_key: str = "") -> None:
        """`server_port` is where the daemon will listen, for the sandbox's events; `api_key` one that was given."""
        self._data = data
        self._server_port = server_port
        self._api_key = api_key
        self._lock = PidLock(data / "local.lock")
        self._nats = ServerProcess(nats_server(data / "nats"))
        self._sandbox = ServerProcess(sandbox(data / "sandbox", f"http://127.0.0.1:{server_port}/v1/events/results"))
        self._running = AsyncExitStack()

    @property
    def nats_url(self) -> str:
        return f"nats://127.0.0.1:{self._nats.port}"

    @property
    def ses_endpoint(self) -> str:
        """Also the address of the page that shows the mail."""
        return f"http://127.0.0.1:{self._sandbox.port}"

    def configure(self, environ: MutableMapping[str, str]) -> None:
        """Point the variables at these servers, before the settings are read; see `use_local_servers`."""
        use_local_servers(environ, self.nats_url, self.ses_endpoint, self._data)
        use_local_sidecar(environ, self._data / "sandbox", self._server_port)
        environ["API_KEY"] = self._api_key

    async def __aenter__(self) -> Self:
        extra.require("`run --local`", nats_server=True)
        await asyncio.to_thread(self._claim_data)
        async with AsyncExitStack() as starting:
            starting.callback(self._lock.close)
            for server in (self._nats, self._sandbox):
                await starting.enter_async_context(server)
            known = {
                "nats_url": self.nats_url,
                "ses_endpoint": self.ses_endpoint,
                "server_port": self._server_port,
                "api_key": self._api_key,
            }
            private_files.write(self._data / _KNOWN, orjson.dumps(known))
            self._running = starting.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def _claim_data(self) -> None:
        try:
            private_files.make_directory(self._data)
            acquired = self._lock.acquire(_PEEK_PATIENCE)
        except OSError as error:
            raise DataUnusableError(f"--data: {self._data} can't be used: {error.strerror}") from None
        if not acquired:
            raise DataInUseError(f"another `run --local` (pid {self._lock.holder()}) uses {self._data}; stop it first")
        self._lock.name_holder(os.getpid())
        self._api_key = self._api_key or keep_key(self._data)


def running_nats_url(data: Path) -> str | None:
    """The local nats-server's URL, if a daemon in local mode works in `data` right now."""
    known = _running(data)
    return str(known["nats_url"]) if known else None


def use_running_servers(environ: MutableMapping[str, str], data: Path) -> None:
    """Point the variables where a daemon in local mode that works in `data` right now has its own; else do nothing."""
    known = _running(data)
    if known:
        use_local_servers(environ, known["nats_url"], known["ses_endpoint"], data)
        use_local_sidecar(environ, data / "sandbox", known["server_port"])
        environ["API_KEY"] = known["api_key"]


def _running(data: Path) -> dict[str, Any] | None:
    try:
        if not (data / _KNOWN).exists() or not PidLock(data / "local.lock").holder():
            return None
        known = orjson.loads((data / _KNOWN).read_bytes())
    except (OSError, orjson.JSONDecodeError):  # another user's, or not ours
        return None
    return known if isinstance(known, dict) and known.keys() >= _NEEDED else None
