"""The suppression lists of the account and of tenants."""

import sqlite3
from dataclasses import dataclass
from time import time
from typing import Any

from aiohttp import web

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import answer, read_document, rest_json
from ses_sandbox.database import Database
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.ses.address import bare_address
from ses_sandbox.ses.tenants import Tenants

_REASONS = ("BOUNCE", "COMPLAINT")
_MAX_PAGE = 1_000
_LONGEST_NUMBER = 18
_ALL = """
SELECT NULL, address, reason, updated_at FROM suppressed
UNION ALL SELECT tenant, address, reason, updated_at FROM tenant_suppressed
"""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Why an address is suppressed, and since when."""

    reason: str
    updated_at: float
    """Unix seconds."""


Entries = dict[str, Suppressed]
"""By address in lower case."""


class SuppressionLists:
    """The account's list, and those of tenants. Durable in SQLite, mirrored in memory because every accepted mail asks for it."""

    def __init__(self, database: Database, tenants: Tenants) -> None:
        """Read what earlier runs left."""
        self._database = database
        self._tenants = tenants
        tenants.when_removed = lambda name: self._of_tenants.pop(name, None)
        self._account: Entries = {}
        self._of_tenants: dict[str, Entries] = {}
        for tenant, address, reason, at in database.read_now(_ALL):
            self._list(tenant)[address] = Suppressed(reason, at)

    def of_mail(self, tenant: str | None) -> Entries:
        """The list that mail of the tenant, if any, goes by."""
        return self._list(self._tenants.own_list(tenant))

    def named(self, tenant: str | None) -> Entries:
        """A tenant's list, or the account's.

        Raises:
            AwsError: NotFoundException, if there is no such tenant.
        """
        if tenant is not None:
            self._tenants.get(tenant)
        return self._list(tenant)

    async def put(self, tenant: str | None, address: str, reason: str) -> None:
        """Add an address, or change its reason."""
        entries, address, entry = self.named(tenant), address.lower(), Suppressed(reason, time())

        def insert(connection: sqlite3.Connection) -> None:
            row = (address, entry.reason, entry.updated_at)
            if tenant is None:
                connection.execute("REPLACE INTO suppressed VALUES (?, ?, ?)", row)
            else:
                connection.execute("REPLACE INTO tenant_suppressed VALUES (?, ?, ?, ?)", (tenant, *row))

        await self._database.write(insert)
        entries[address] = entry

    async def remove(self, tenant: str | None, address: str) -> None:
        """Remove an address in lower case."""

        def delete(connection: sqlite3.Connection) -> None:
            if tenant is None:
                connection.execute("DELETE FROM suppressed WHERE address = ?", (address,))
            else:
                connection.execute("DELETE FROM tenant_suppressed WHERE tenant = ? AND address = ?", (tenant, address))

        await self._database.write(delete)
        del self.named(tenant)[address]

    def _list(self, tenant: str | None) -> Entries:
        return self._account if tenant is None else self._of_tenants.setdefault(tenant, {})


class SuppressionOperations:
    """Put-, Get-, List- and DeleteSuppressedDestination."""

    def __init__(self, request_guard: RequestGuard, suppression: SuppressionLists) -> None:
        self._request_guard = request_guard
        self._lists = suppression

    def routes(self) -> list[web.RouteDef]:
        path = "/v2/email/suppression/addresses"
        return [
            web.put(path, rest_json(self.put)),
            web.get(path, rest_json(self.list)),
            web.get(path + "/{address}", rest_json(self.get)),
            web.delete(path + "/{address}", rest_json(self.delete)),
        ]

    async def put(self, request: web.Request) -> web.Response:
        """Add an address."""
        document = read_document(await self._request_guard.admit(request, "PutSuppressedDestination"))
        address, reason = bare_address(document.get("EmailAddress") or ""), document.get("Reason")
        if reason not in _REASONS:
            raise AwsError("BadRequestException", f"Reason must be one of {', '.join(_REASONS)}")
        await self._lists.put(document.get("TenantName"), address, reason)
        return answer({})

    async def get(self, request: web.Request) -> web.Response:
        """One address."""
        await self._request_guard.admit(request, "GetSuppressedDestination")
        tenant = _tenant(request)
        named = {"TenantName": tenant} if tenant else {}
        return answer({"SuppressedDestination": _document(*self._found(request)) | named})

    async def list(self, request: web.Request) -> web.Response:
        """A page of addresses in alphabetical order, of the given reasons; the token is the last address."""
        await self._request_guard.admit(request, "ListSuppressedDestinations")
        reasons = request.query.getall("Reason", list(_REASONS))
        since = request.query.get("NextToken", "")
        found = sorted(
            (address, entry)
            for address, entry in self._lists.named(_tenant(request)).items()
            if entry.reason in reasons and address > since
        )
        size = _page_size(request.query.get("PageSize", ""))
        page = found[:size]
        more = {"NextToken": page[-1][0]} if len(found) > size else {}
        return answer({"SuppressedDestinationSummaries": [_document(*each) for each in page], **more})

    async def delete(self, request: web.Request) -> web.Response:
        """Remove an address."""
        await self._request_guard.admit(request, "DeleteSuppressedDestination")
        await self._lists.remove(_tenant(request), self._found(request)[0])
        return answer({})

    def _found(self, request: web.Request) -> tuple[str, Suppressed]:
        address = request.match_info["address"].lower()
        try:
            return address, self._lists.named(_tenant(request))[address]
        except KeyError:
            message = f"Email address {address} does not exist on your suppression list."
            raise AwsError("NotFoundException", message) from None


def _tenant(request: web.Request) -> str | None:
    return request.query.get("TenantName")


def _document(address: str, entry: Suppressed) -> dict[str, Any]:
    return {"EmailAddress": address, "Reason": entry.reason, "LastUpdateTime": entry.updated_at}


def _page_size(text: str) -> int:
    if not text:
        return _MAX_PAGE
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER or not 1 <= int(text) <= _MAX_PAGE:
        raise AwsError("BadRequestException", f"PageSize must be a number from 1 to {_MAX_PAGE}.")
    return int(text)
