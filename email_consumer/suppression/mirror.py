"""Mirrors changes of the suppression list to SES's lists, the account's and those of tenants, in the background.

Pending changes are recorded in the row itself, in the transaction that changes it, so that a crash loses nothing.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aioboto3
import structlog
from aiolimiter import AsyncLimiter
from botocore.exceptions import ClientError

from email_consumer.aws.client import NoAnswerError, client_config
from email_consumer.aws.renewing_client import RenewingClient
from email_consumer.aws.tenant_name import allow_tenant_name
from email_consumer.store.database import Database
from email_consumer.suppression import statements
from email_consumer.suppression.suppression import Reason, tenant_of

_INTERVAL = 10.0
"""Seconds between checks for pending changes."""
_AFTER_FAILURE = 60.0
_CONNECT, _ANSWER = 5.0, 10.0
_REASONS = {Reason.COMPLAINT: "COMPLAINT", Reason.HARD_BOUNCE: "BOUNCE"}
_IGNORED_ERRORS = frozenset({"NotFoundException", "BadRequestException"})
"""Not on SES's list (so nothing to delete), a tenant that SES does not know (so it sends nothing), or an address that SES does not accept."""

_log = structlog.get_logger(__name__)


class Mirror:
    """Calls PutSuppressedDestination and DeleteSuppressedDestination, once per second as SES allows."""

    def __init__(self, database: Database, *, region: str, endpoint: str | None) -> None:
        """An `endpoint` of None is AWS's."""
        self._database = database
        self._region = region
        self._endpoint = endpoint
        self._limit = AsyncLimiter(1, 1)

    def client(self) -> RenewingClient:
        """For `sync`; to be opened."""
        return RenewingClient(self._open_client)

    @asynccontextmanager
    async def _open_client(self) -> AsyncIterator[Any]:
        session = aioboto3.Session(region_name=self._region)
        config = client_config(connect=_CONNECT, answer=_ANSWER)
        async with session.client("sesv2", endpoint_url=self._endpoint, config=config) as client:
            allow_tenant_name(client)
            yield client

    async def run(self) -> None:
        """Until cancelled."""
        async with self.client() as client:
            while True:
                try:
                    await self.sync(client)
                except (ClientError, NoAnswerError, sqlite3.OperationalError) as error:
                    _log.warning(
                        "suppression.not_mirrored",
                        error=str(error),
                        retry_in=_AFTER_FAILURE,
                        hint="allow ses:PutSuppressedDestination and ses:DeleteSuppressedDestination",
                    )
                    await asyncio.sleep(_AFTER_FAILURE)
                else:
                    await asyncio.sleep(_INTERVAL)

    async def sync(self, client: RenewingClient) -> None:
        """Apply all pending changes.

        Raises:
            botocore.exceptions.ClientError: SES refused; the rest stays pending.
        """
        while rows := await self._database.fetch(statements.TO_MIRROR):
            for row in rows:
                async with self._limit:
                    await _apply(client, row["address"], row["scope"], row["reason"], row["mirror"])
                async with self._database.transaction() as connection:
                    await connection.execute(statements.MIRRORED, dict(row))


async def _apply(client: RenewingClient, address: str, scope: str, reason: str, change: str) -> None:
    tenant = tenant_of(scope)
    given = {"EmailAddress": address} | ({"TenantName": tenant} if tenant else {})
    within = _CONNECT + _ANSWER
    try:
        if change == "put":
            await client.ask("put_suppressed_destination", within=within, **given, Reason=_REASONS[Reason(reason)])
        else:
            await client.ask("delete_suppressed_destination", within=within, **given)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _IGNORED_ERRORS:
            raise
