"""The daemon for tests: the real program as a process of its own."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from tests.servers.program import Program
from tests.waiting import patience

LogLine = dict[str, Any]


class Daemon:
    """`async with Daemon(directory, environment) as daemon:` runs `email-consumer run` until the block ends.

    Args:
        directory: its working directory; the ledger lies in it and outlives a kill.
        environment: its variables, beside PATH and the like; nothing of the surrounding AWS or NATS variables.
        command: another command line than `run`.
        python: the interpreter to start, which may have another version of the program; without one, the process is
            forked from one that has the modules imported already, which takes a tenth of the time.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], *command: str, python: str | None = None
    ) -> None:
        self._python = python
        self._directory = directory
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "LOG_FORMAT": "json", **environment}
        self._command = command or ("run",)
        self._process: Process | Program | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self.log: list[LogLine] = []
        """What it has said so far, over all its lives."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Run it and wait until it says that it has started."""
        assert await self.started(), "the daemon did not start:\n" + "\n".join(str(line) for line in self.log[-20:])

    async def start_again(self) -> None:
        """As a supervisor does: until it has started."""
        while not await self.started():
            pass

    async def started(self) -> bool:
        """Run it; whether it says in the end that it has started."""
        before = self.count("daemon.started")
        await self.launch()
        await self.wait_until(lambda: self.count("daemon.started") > before or not self.running)
        return self.count("daemon.started") > before

    async def launch(self) -> None:
        """Run it without waiting for anything."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._python is None:
            self._process = await Program.start(
                *self._command, directory=self._directory, environment=self._environment
            )
        else:
            self._process = await asyncio.create_subprocess_exec(
                self._python,
                "-m",
                "email_consumer",
                *self._command,
                cwd=self._directory,
                env=self._environment,
                stdout=PIPE,
                stderr=STDOUT,
                limit=2**20,
            )
        self._reader = asyncio.create_task(self._read(self._process))

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def count(self, event: str) -> int:
        """How many lines of this event it has said."""
        return sum(line.get("event") == event for line in self.log)

    async def wait_for(self, event: str, times: int = 1) -> LogLine:
        """Until it has said this event so often; the last such line."""
        await self.wait_until(lambda: self.count(event) >= times)
        return self.said(event)

    def said(self, event: str) -> LogLine:
        """The last line of this event, which it must have said."""
        return [line for line in self.log if line.get("event") == event][-1]

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with patience(), self._changed:
            await self._changed.wait_for(condition)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """SIGKILL, as a crash would. Killing what does not run is no error."""
        if self.running:
            self.signal(signal.SIGKILL)
        if self._process is not None:
            await self.ended()

    async def ended(self) -> int:
        """Until it has ended; the exit code."""
        if self._reader is not None:
            await self._reader
        assert self._process is not None
        return await self._process.wait()

    async def _read(self, process: Process | Program) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": raw.decode(errors="replace").rstrip()}
            async with self._changed:
                self.log.append(line)
                self._changed.notify_all()
        await process.wait()
        async with self._changed:
            self._changed.notify_all()
