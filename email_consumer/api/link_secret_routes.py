"""`POST /v1/link-secrets`: links are signed with a new secret; `DELETE /v1/link-secrets/old`: it alone counts."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from email_consumer.core.link_secrets import LinkSecrets, new_secret
from email_consumer.store.database import Database
from email_consumer.store.link_secrets import write_link_secrets
from email_consumer.web.routing import ApiError, ApiModel, answer, operation, read_body

_PATIENCE = 10.0
"""Seconds for JetStream to take what workers have to know."""

_log = structlog.get_logger(__name__)


class NewLinkSecret(ApiModel):
    forget_old: bool = False
    """Links of all mail that was sent before stop working: for a secret that others may know."""


class KeptLinkSecrets(ApiModel):
    old: int
    """How many old secrets are kept; links that they signed work."""


class LinkSecretRoutes:
    def __init__(self, database: Database, secrets: LinkSecrets, tell: Callable[[], Awaitable[None]]) -> None:
        """`tell` returns when all who sign links elsewhere can know of a change."""
        self._database = database
        self._secrets = secrets
        self._tell = tell
        self._one_at_a_time = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/link-secrets", self.rotate), web.delete("/v1/link-secrets/old", self.forget_old)]

    @operation("Sign the links in mail with a new secret", body=NewLinkSecret, answer=KeptLinkSecrets, errors=(503,))
    async def rotate(self, request: web.Request) -> web.Response:
        new = await read_body(request, NewLinkSecret)
        async with self._one_at_a_time:
            await self._keep((new_secret(), *self._secrets.kept))
            if new.forget_old:
                # Only now: forgotten before JetStream has the new one, the old one would come back with a crash.
                await self._keep(self._secrets.kept[:1])
            return self._answer()

    @operation("Links that old secrets signed stop working", answer=KeptLinkSecrets, errors=(503,))
    async def forget_old(self, _request: web.Request) -> web.Response:
        async with self._one_at_a_time:
            await self._tell_in_time()  # of a rotation that JetStream may not have heard of
            await self._keep(self._secrets.kept[:1])
            return self._answer()

    async def _keep(self, kept: tuple[str, ...]) -> None:
        await write_link_secrets(self._database, kept)
        self._secrets.replace(kept)
        await self._tell_in_time()

    async def _tell_in_time(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._tell()
        except TimeoutError:
            raise ApiError(503, "not_told", "JetStream does not take what workers have to know; try again.") from None

    def _answer(self) -> web.Response:
        old = len(self._secrets.kept) - 1
        _log.info("links.rotated", old=old)
        return answer(KeptLinkSecrets(old=old))
