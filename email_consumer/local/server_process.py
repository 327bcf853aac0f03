"""One server as a child process: started, kept running, ended with us, and found again if we were killed."""

import asyncio
import contextlib
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from typing import Self, cast

import structlog

from email_consumer.local.pid_lock import PidLock
from email_consumer.local.ports import free_port
from email_consumer.local.program import Program
from email_consumer.runtime import private_files
from email_consumer.runtime.backoff import backoff
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.tasks import end

_START_PATIENCE = 30.0
_END_PATIENCE = 5.0
_LONGEST_LINE = 1 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

_log = structlog.get_logger(__name__)


class ServerStartError(OperatorError):
    """A local server does not start; the text has the last lines that it printed."""


class ServerProcess:
    """`async with ServerProcess(program) as server:` runs it on `server.port` until the block ends.

    If it ends on its own it is started again on the same port, so that its clients come back to it.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._lock = PidLock(program.directory / "lock")
        self._log_file = program.directory / "log"
        self._process: Process | None = None
        self._output: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._last_lines: deque[str] = deque(maxlen=5)
        self.port = 0

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._take_over)
        try:
            # Whether a port is free is best asked by taking it; one that is found free may be taken soon.
            for port in (self._program.preferred_port, None):
                self.port = free_port() if port is None else port
                if await self._launch():
                    self._keeper = asyncio.create_task(self._keep_running(), name=f"keep {self._program.name}")
                    return self
        except BaseException:
            await self._end()
            raise
        why = "\n".join(self._last_lines)
        raise ServerStartError(f"{self._program.name} does not start, see {self._log_file}:\n{why}")

    async def __aexit__(self, *_: object) -> None:
        if self._keeper:
            await end(self._keeper)
        await self._end()

    def _take_over(self) -> None:
        private_files.own_directory(self._program.directory)
        self._log_file.unlink(missing_ok=True)
        self._lock.acquire_from_leftover(_END_PATIENCE)
        self._lock.close()

    async def _launch(self) -> bool:
        """Whether it came up; if not, it is gone again."""
        command = await asyncio.to_thread(self._program.command, self.port)
        if not self._lock.acquire():
            raise ServerStartError(f"another {self._program.name} took {self._program.directory} meanwhile")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                pass_fds=(self._lock.descriptor,),
                limit=_LONGEST_LINE,
                start_new_session=True,  # Ctrl-C goes to the daemon alone, which still needs its servers to drain
            )
            self._lock.name_holder(self._process.pid)
        finally:
            self._lock.close()
        ready = asyncio.Event()
        self._output = asyncio.create_task(self._copy_output(self._process, ready))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_PATIENCE):
                await ready.wait()
        if ready.is_set() and self._process.returncode is None:
            return True
        await self._end()
        return False

    async def _copy_output(self, process: Process, ready: asyncio.Event) -> None:
        """To the log file; sets `ready` when it is, or when it never will be."""
        with self._log_file.open("ab", buffering=0) as log:
            async for line in cast("asyncio.StreamReader", process.stdout):
                with contextlib.suppress(OSError):  # of a full disk; what is not read on would block the server
                    log.write(line)
                text = line.decode(errors="replace").rstrip()
                self._last_lines.append(text)
                if self._program.is_ready(text):
                    ready.set()
        await process.wait()
        ready.set()

    async def _keep_running(self) -> None:
        failures = 1
        while self._process and self._output:
            await asyncio.shield(self._output)
            pause = backoff(_FIRST_PAUSE, failures, _LONGEST_PAUSE)
            _log.error("local.server_ended", server=self._program.name, exit=self._process.returncode, restart=pause)
            await asyncio.sleep(pause)
            try:
                launched = await self._launch()
            except (OSError, ServerStartError) as error:  # such as a full disk; nobody else would start it again
                _log.error("local.server_not_started", server=self._program.name, error=str(error))
                launched = False
            failures = 1 if launched else failures + 1

    async def _end(self) -> None:
        if not self._process or not self._output:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(how)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_PATIENCE):
                    await asyncio.shield(self._output)
                return
