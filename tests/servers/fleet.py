"""The daemon in its roles: one sidecar, many workers, a process each."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.servers.daemon import Daemon


class Fleet:
    """`async with Fleet(directory, variables, port=port, workers=4) as fleet:` runs them until the block ends.

    Args:
        directory: each process has a working directory of its own in it; the sidecar's file outlives a kill.
        variables: what all of them have in common; LEDGER is set here.
        port: where the sidecar listens.
        workers: how many there are at first.
    """

    def __init__(self, directory: Path, variables: Mapping[str, str], *, port: int, workers: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        """Of the sidecar."""
        self._directory = directory
        self._variables = {**variables, "LEDGER": "jetstream", "SERVER_URL": self.url}
        self.sidecar = Daemon(directory / "sidecar", self._variables | {"SERVER_PORT": str(port)}, "sidecar")
        self.workers = [self.worker(str(number)) for number in range(workers)]

    @property
    def database(self) -> Path:
        """The sidecar's file."""
        return self._directory / "sidecar" / "data" / "email.db"

    def worker(self, name: str) -> Daemon:
        """One more, not yet started."""
        return Daemon(self._directory / f"worker-{name}", self._variables | {"SERVER_PORT": "0"}, "worker")

    async def __aenter__(self) -> Self:
        try:
            await self.sidecar.start()
            await asyncio.gather(*(worker.start() for worker in self.workers))
        except BaseException:
            await self._kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._kill()

    async def _kill(self) -> None:
        await asyncio.gather(*(each.kill() for each in (self.sidecar, *self.workers)))
