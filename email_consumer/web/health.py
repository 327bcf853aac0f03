"""`/health`: the process responds. `/ready`: everything it needs is available. `/metrics`: counters and gauges."""

from collections.abc import Callable, Mapping

import structlog
from aiohttp import web

from email_consumer.core.readiness import STUCK, Check, SharedCheck, in_public, reasons
from email_consumer.core.safe_mode import Kind as SafeModeKind
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, answer, operation

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_log = structlog.get_logger(__name__)


class Health(ApiModel):
    status: str


class Readiness(ApiModel):
    """`down` names what blocks mail (status 503 unless empty); `reasons` explains it without text from other systems."""

    ready: bool
    up: list[str]
    down: list[str]
    reasons: dict[str, str]
    safe_mode: SafeModeKind = "off"
    """What happens to mail for addresses that safe mode does not allow: it is stopped, or redirected to one address."""
    holds: int
    """Keys that are held (account, lane, tenants, topics): their mail waits, other mail flows. `GET /v1/holds` lists them."""
    limited_tenants: int
    """Tenants whose mail waits for their limits. `GET /v1/tenants` lists them."""


class HealthRoutes:
    def __init__(
        self,
        checks: Mapping[str, Check],
        metrics: Callable[[bool], bytes],
        *,
        safe_mode: SafeModeKind = "off",
        holds: Callable[[], int] = lambda: 0,
        limited_tenants: Callable[[], int] = lambda: 0,
    ) -> None:
        """`checks` by the name shown in `/ready`, more may be added later; `metrics` renders the Prometheus text, or that of OpenMetrics.

        `holds`: the number of keys that are held; `limited_tenants`: of tenants whose mail waits for their limits.
        """
        self._safe_mode = safe_mode
        self._holds = holds
        self._limited_tenants = limited_tenants
        self._checks = checks
        self._metrics = metrics
        self._shared_check = SharedCheck(self._check)
        self._logged: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self.health),
            web.get("/ready", self.ready),
            web.get("/metrics", self.metrics),
        ]

    @operation("Liveness: the process responds", answer=Health, open_to_all=True)
    async def health(self, _request: web.Request) -> web.Response:
        return answer(Health(status="ok"))

    @operation(
        "Readiness: 200, or 503 with what is down",
        answer=Readiness,
        also={503: Readiness},
        open_to_all=True,
    )
    async def ready(self, _request: web.Request) -> web.Response:
        down = await self._shared_check.result()
        readiness = Readiness(
            ready=not down,
            up=[name for name in self._checks if name not in {*down, STUCK}],
            down=sorted(down),
            reasons={name: in_public(text) for name, text in down.items()},
            safe_mode=self._safe_mode,
            holds=self._holds(),
            limited_tenants=self._limited_tenants(),
        )
        return answer(readiness, status=503 if down else 200)

    async def _check(self) -> dict[str, str]:
        down = await reasons(self._checks)
        for name, text in down.items():
            if in_public(text) != in_public(self._logged.get(name, "")):
                _log.warning("ready.down", what=name, error=text)
        self._logged = down
        return down

    @operation("Counters and gauges for Prometheus", answer_type="text/plain", scope=Scope.READ)
    async def metrics(self, request: web.Request) -> web.Response:
        open_metrics = "application/openmetrics-text" in request.headers.get("Accept", "")
        content_type = _OPEN_METRICS if open_metrics else _PROMETHEUS
        return web.Response(body=self._metrics(open_metrics), headers={"Content-Type": content_type})
