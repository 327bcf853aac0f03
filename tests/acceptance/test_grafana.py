"""Every query of the Grafana dashboard has data, in a real Prometheus that scrapes the real daemon under load."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.feedback_loop import sandbox_with_events, variables_for
from tests.acceptance.publisher import JetStreamPublisher, as_map
from tests.needs import needs
from tests.servers.daemon import Daemon
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.servers.prometheus import Prometheus
from tests.waiting import until

_DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana.json"
_KEY = "grafana"
_RATE = 50
"""Mails per second."""


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries() -> Iterator[str]:
    """With the variables filled in as Grafana does."""
    values = {"$job": Prometheus.job, "$instance": ".+", "$__rate_interval": "10s"}
    for panel in panels():
        for target in panel["targets"]:
            text = target["expr"]
            for name, value in values.items():
                text = text.replace(name, value)
            assert "$" not in text
            yield text


@needs("prometheus")
async def test_every_query_has_data(tmp_path: Path) -> None:
    [port] = free_ports(1)
    async with NatsServer(tmp_path / "nats") as server, sandbox_with_events(tmp_path, port) as sandbox:
        variables = await variables_for(tmp_path, server, sandbox) | {
            "SERVER_PORT": str(port),
            "SES_RATE_PER_SEC": str(_RATE),
            "API_KEY": _KEY,
        }
        await sandbox.put("/sandbox/account", {"max_24_hour_send": 50_000})  # without a limit there is no such metric
        publisher = await JetStreamPublisher.connect(server.url)
        async with (
            Daemon(tmp_path / "daemon", variables),
            Prometheus(tmp_path / "prometheus", port, _KEY) as prometheus,
        ):
            await publisher.publish(_mail(number) for number in range(100 * _RATE))  # more than the test takes
            await publisher.publish((as_map(f"now-{number}") for number in range(10)), transactional=True)
            await _hold(port, "tenant:late")
            await publisher.publish([as_map("held", tenant="late")])
            without = set(queries())

            async def all_have() -> bool:
                for query in list(without):
                    values = [float(series["value"][1]) for series in await prometheus.query(query)]
                    if any(math.isfinite(value) for value in values):
                        without.discard(query)
                return not without

            try:
                await until(all_have)
            except TimeoutError:
                raise AssertionError(f"no data: {without}") from None
        await publisher.close()


async def _hold(port: int, key: str) -> None:
    url = f"http://127.0.0.1:{port}/v1/holds"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"key": key}, headers={"X-API-KEY": _KEY}) as answer,
    ):
        assert answer.status == 200


def _mail(number: int) -> bytes:
    """Some bounce, some are complained about, some are dead letters."""
    if number % 10 == 9:
        return f"poison {number}".encode()
    name = {0: "bounce", 1: "complaint"}.get(number % 10, "success")
    return as_map(f"mail-{number}", email=f"{name}+{number}@simulator.amazonses.com", tenant=f"tenant-{number % 3}")
