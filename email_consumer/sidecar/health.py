"""`/health`: the process answers. `/ready`: so does all it needs. `/metrics`: what it counts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from email_consumer.http import ApiModel, answer, operation

Check = Callable[[], Awaitable[None]]
"""Raises if what it looks at is down; the text of the error goes to the log alone."""

_PATIENCE = 2.0
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

_log = structlog.get_logger(__name__)


class Health(ApiModel):
    status: str


class Readiness(ApiModel):
    """`down` names what is not there; 503 if it names anything."""

    ready: bool
    up: list[str]
    down: list[str]


class HealthRoutes:
    def __init__(self, checks: Mapping[str, Check], metrics: Callable[[], bytes]) -> None:
        """`checks` by the name that `/ready` tells; `metrics` gives the Prometheus text."""
        self._checks = checks
        self._metrics = metrics
        self._down: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self.health),
            web.get("/ready", self.ready),
            web.get("/metrics", self.metrics),
        ]

    @operation("The process answers", answer=Health, open_to_all=True)
    async def health(self, _request: web.Request) -> web.Response:
        return answer(Health(status="ok"))

    @operation(
        "All that is needed is there; else 503 and what is down",
        answer=Readiness,
        also={503: Readiness},
        open_to_all=True,
    )
    async def ready(self, _request: web.Request) -> web.Response:
        faults = dict(zip(self._checks, await asyncio.gather(*map(_look, self._checks.values())), strict=True))
        down = {name for name, fault in faults.items() if fault}
        for name in down - self._down:
            _log.warning("ready.down", what=name, error=faults[name])
        self._down = down
        readiness = Readiness(ready=not down, up=[name for name in faults if name not in down], down=sorted(down))
        return answer(readiness, status=503 if down else 200)

    @operation("Counters and gauges for Prometheus", answer_type="text/plain")
    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": _PROMETHEUS})


async def _look(check: Check) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready
        return str(error) or type(error).__name__
    return ""
