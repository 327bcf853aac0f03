"""A sender under a supervisor, as its users run it: whenever it ends, it is started again."""

import asyncio
import os
from asyncio.subprocess import STDOUT, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Self

_PAUSE = 0.5
"""Seconds between an end and the next start."""


class Supervised:
    """`async with Supervised(directory, command, environment) as sender:` runs it until the block ends.

    Args:
        directory: its working directory; what it prints lies there in `log`.
        command: the program and its arguments.
        environment: its variables, in addition to PATH.
    """

    def __init__(self, directory: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._command = command
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(directory), **environment}
        self._process: Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._runs = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._supervisor is not None
        self._supervisor.cancel()
        with suppress(asyncio.CancelledError):
            await self._supervisor
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def signal(self, signal: Signals) -> None:
        """Send it a signal, once it runs."""
        await self._runs.wait()
        assert self._process is not None
        self._process.send_signal(signal)

    async def _supervise(self) -> None:
        while True:
            with (self._directory / "log").open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, cwd=self._directory, env=self._environment, stdout=log, stderr=STDOUT
                )
            self._runs.set()
            await self._process.wait()
            self._runs.clear()
            await asyncio.sleep(_PAUSE)
