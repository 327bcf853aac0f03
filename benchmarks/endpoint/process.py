"""The fast endpoint as a process that a measurement starts and asks."""

import asyncio
import json
import ssl
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp

from tests.servers.certificates import TestAuthority


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When requests came, in seconds of the machine's monotonic clock."""

    accepted: list[float]
    throttled: list[float]


class Endpoint:
    """`async with Endpoint(directory, tls=True) as endpoint:` runs one on a free port until the block ends.

    Args:
        directory: holds the certificates.
        tls: under an authority of its own, whose certificate is `ca`.
        latency: seconds until SendEmail is answered.
        max_send_rate: what it enforces, recipients a second; 0 for no limit.
        account_rate: what its GetAccount says; 0 where that is forbidden.
    """

    def __init__(
        self,
        directory: Path,
        *,
        tls: bool = False,
        latency: float = 0,
        max_send_rate: float = 0,
        account_rate: float = 100_000,
    ) -> None:
        self._options = [f"--latency={latency}", f"--max-send-rate={max_send_rate}", f"--account-rate={account_rate}"]
        self.ca: Path | None = None
        self._trust: ssl.SSLContext | bool = True
        if tls:
            authority = TestAuthority(directory)
            certificate, key = authority.issue("endpoint")
            self._options += [f"--certificate={certificate}", f"--key={key}"]
            self.ca = authority.ca
            self._trust = ssl.create_default_context(cafile=str(authority.ca))

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.endpoint", *self._options, stdout=PIPE
        )
        assert self._process.stdout is not None
        port = int(await self._process.stdout.readline())
        self.url = f"{'https' if self.ca else 'http'}://127.0.0.1:{port}"
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trust))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._process.terminate()
        await self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def count(self) -> int:
        """How many mails it has accepted."""
        return int(await self._get("/count"))

    async def arrivals(self) -> Arrivals:
        return Arrivals(**json.loads(await self._get("/arrivals")))

    async def marked(self) -> dict[int, float]:
        """When it accepted marked mails, by number."""
        return {int(number): at for number, at in json.loads(await self._get("/marked")).items()}

    async def _get(self, path: str) -> str:
        async with self._session.get(self.url + path) as response:
            return await response.text()
