"""The program under test: a process on its own core, with an environment of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import STDOUT
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from benchmarks.cores import UNDER_TEST, on

_REPOSITORY = Path(__file__).parent.parent


class ProgramEndedError(Exception):
    """It ended by itself; the text is the end of what it printed."""


def python(*module: str, checkout: Path = _REPOSITORY) -> tuple[str, ...]:
    """The command that runs a Python module with its arguments, by the checkout's own environment if it has one."""
    own = checkout / ".venv" / "bin" / "python"
    return (str(own) if own.exists() else sys.executable, "-m", *module)


class Program:
    """`async with Program(directory, python("email_consumer", "run"), environment) as program:`, killed at the block's end.

    Args:
        directory: its working directory; what it prints lies there in `log`.
        command: the program and its arguments.
        environment: its variables, in addition to PATH and to the PYTHONPATH of this repository.
    """

    def __init__(self, directory: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._command = command
        self._environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_REPOSITORY), **environment}
        self.log = directory / "log"

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log, on(UNDER_TEST):
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._directory,
                env=self._environment,
                stdout=log,
                stderr=STDOUT,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Look whether it still runs.

        Raises:
            ProgramEndedError: it doesn't.
        """
        if self._process.returncode is not None:
            raise ProgramEndedError(self.log.read_text(errors="replace")[-2000:])
