"""The program as a process of its own, quick to start: forked from one that has its modules imported already."""

import asyncio
import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from asyncio import StreamReader
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self

from tests.servers.preloaded import PACKET

_LINE = 2**20
"""Most bytes of a line that the program prints."""


class Program:
    """What `asyncio.subprocess.Process` has of it, as far as tests need that."""

    def __init__(self, pid: int, stdout: StreamReader, stderr: StreamReader | None, status: StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._wait(status))

    @classmethod
    async def start(
        cls, *arguments: str, directory: Path, environment: Mapping[str, str], stdin: bytes = b"", apart: bool = False
    ) -> Self:
        """Run `email-consumer ARGUMENTS`; `apart` keeps stderr from stdout."""
        given = json.dumps({"arguments": arguments, "directory": str(directory), "environment": dict(environment)})
        assert len(given) < PACKET
        readers, writers = [], []
        for _ in range(3 if apart else 2):
            reader, writer = os.pipe()
            readers.append(reader)
            writers.append(writer)
        out, *err, status = writers
        with TemporaryFile() as file:  # unlike a pipe, it takes any number of bytes at once
            file.write(stdin)
            file.seek(0)
            socket.send_fds(_preloaded(), [given.encode()], [file.fileno(), out, *(err or [out]), status])
        for descriptor in writers:
            os.close(descriptor)
        stdout, *stderr, report = [await _reader(descriptor) for descriptor in readers]
        return cls(int(await report.readline()), stdout, stderr[0] if stderr else None, report)

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Until it has ended: what it printed."""
        read = [stream.read() for stream in (self.stdout, self.stderr) if stream]
        output, *errors = await asyncio.gather(*read)
        await self.wait()
        return output, errors[0] if errors else b""

    async def _wait(self, status: StreamReader) -> int:
        self.returncode = int(await status.read())
        return self.returncode


async def run_program(
    *arguments: str, directory: Path, environment: Mapping[str, str], stdin: bytes = b""
) -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    program = await Program.start(*arguments, directory=directory, environment=environment, stdin=stdin, apart=True)
    output, errors = await program.communicate()
    return await program.wait(), output.decode(), errors.decode()


async def _reader(descriptor: int) -> StreamReader:
    loop = asyncio.get_running_loop()
    reader = StreamReader(_LINE, loop)
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader, loop=loop), os.fdopen(descriptor, "rb", 0)
    )
    return reader


@functools.cache
def _preloaded() -> socket.socket:
    """The control socket of this process's own one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.servers.preloaded", str(theirs.fileno())]
    environment = {"PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        command,
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
