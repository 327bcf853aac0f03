"""`POST /v1/link-secrets` starts signing with a new secret; `DELETE /v1/link-secrets/old` invalidates the older ones."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from email_consumer.core.link_secrets import LinkSecrets, new_secret
from email_consumer.store.database import Database
from email_consumer.store.link_secrets import write_link_secrets
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiError, ApiModel, RequestModel, answer, operation, read_body

_TIMEOUT = 10.0
"""Seconds for JetStream to store the secrets for the workers."""

_log = structlog.get_logger(__name__)


class NewLinkSecret(RequestModel):
    forget_old: bool = False
    """Invalidate the links in all mail sent so far: for a secret that may be compromised."""


class KeptLinkSecrets(ApiModel):
    old: int
    """Number of older secrets whose links still work."""


class LinkSecretRoutes:
    def __init__(self, database: Database, secrets: LinkSecrets, publish: Callable[[], Awaitable[None]]) -> None:
        """`publish` returns once the workers can read the changed secrets."""
        self._database = database
        self._secrets = secrets
        self._publish = publish
        self._lock = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/link-secrets", self.rotate), web.delete("/v1/link-secrets/old", self.forget_old)]

    @operation(
        "Sign links in mail with a new secret",
        body=NewLinkSecret,
        answer=KeptLinkSecrets,
        errors=(503,),
        scope=Scope.ADMIN,
    )
    async def rotate(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewLinkSecret)
        async with self._lock:
            await self._keep((new_secret(), *self._secrets.kept))
            if new.forget_old:
                # In this order: dropped before JetStream stored the new one, the old one would come back after a crash.
                await self._keep(self._secrets.kept[:1])
            return self._answer()

    @operation("Invalidate links signed with older secrets", answer=KeptLinkSecrets, errors=(503,), scope=Scope.ADMIN)
    async def forget_old(self, _request: web.Request) -> web.Response:
        async with self._lock:
            await self._publish_in_time()  # an earlier rotation may not have reached JetStream
            await self._keep(self._secrets.kept[:1])
            return self._answer()

    async def _keep(self, kept: tuple[str, ...]) -> None:
        await write_link_secrets(self._database, kept)
        self._secrets.replace(kept)
        await self._publish_in_time()

    async def _publish_in_time(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._publish()
        except TimeoutError:
            raise ApiError(503, "not_told", "JetStream did not store the secrets for the workers; try again.") from None

    def _answer(self) -> web.Response:
        old = len(self._secrets.kept) - 1
        _log.info("links.rotated", old=old)
        return answer(KeptLinkSecrets(old=old))
