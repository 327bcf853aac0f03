"""A real Prometheus for tests: its own process, a free port on loopback, scraping once a second; it keeps exemplars."""

import asyncio
import json
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.servers.ports import free_ports
from tests.waiting import until


class Prometheus:
    """`async with Prometheus(tmp_path, port, "key") as prometheus:` scrapes `/metrics` of that port until the block ends."""

    job = "email_consumer"

    def __init__(self, directory: Path, target: int, key: str) -> None:
        self._directory = directory
        self._config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [
                {
                    "job_name": self.job,
                    "authorization": {"credentials": key},
                    "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
                }
            ],
        }
        [self._port] = free_ports(1)

    async def __aenter__(self) -> Self:
        self._directory.mkdir()
        config, log = self._directory / "prometheus.json", self._directory / "log"
        config.write_text(json.dumps(self._config))
        with log.open("wb") as output:
            self._process: Process = await asyncio.create_subprocess_exec(
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--enable-feature=exemplar-storage",
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
            )
        self._session = aiohttp.ClientSession(f"http://127.0.0.1:{self._port}")

        async def scraped() -> bool:
            assert self._process.returncode is None, log.read_text()
            try:
                return bool(await self.query(f'up{{job="{self.job}"}} == 1'))
            except aiohttp.ClientError:
                return False

        await until(scraped)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant vector, now. An expression that Prometheus refuses fails the test."""
        async with self._session.get("/api/v1/query", params={"query": expression}) as response:
            answer = await response.json() if response.content_type == "application/json" else {}
        if response.status == 503:  # it is still starting
            return []
        assert answer.get("status") == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    async def exemplars(self, selector: str) -> list[dict[str, Any]]:
        """Those of the last minute of the selected series: labels, value and timestamp each."""
        now = time.time()
        span = {"start": str(now - 60), "end": str(now + 60)}
        async with self._session.get("/api/v1/query_exemplars", params={"query": selector, **span}) as response:
            answer = await response.json()
        assert answer["status"] == "success", answer
        return [exemplar for series in answer["data"] for exemplar in series["exemplars"]]
