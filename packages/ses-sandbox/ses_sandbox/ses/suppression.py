"""The account-level suppression list."""

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

_REASONS = ("BOUNCE", "COMPLAINT")
_MAX_PAGE = 1_000
_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Why an address is suppressed, and since when."""

    reason: str
    updated_at: float
    """Unix seconds."""


class SuppressionList:
    """Durable in SQLite, mirrored in memory because every accepted mail asks for it. Addresses in lower case."""

    def __init__(self, database: Database) -> None:
        """Read what earlier runs left."""
        self._database = database
        rows = database.read_now("SELECT address, reason, updated_at FROM suppressed ORDER BY address")
        self.entries = {address: Suppressed(reason, at) for address, reason, at in rows}

    async def put(self, address: str, reason: str) -> None:
        """Add an address, or change its reason."""
        row = (address.lower(), reason, time())
        await self._database.write(
            lambda connection: connection.execute("REPLACE INTO suppressed VALUES (?, ?, ?)", row)
        )
        self.entries[row[0]] = Suppressed(*row[1:])

    async def remove(self, address: str) -> None:
        """Remove an address."""

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM suppressed WHERE address = ?", (address.lower(),))

        await self._database.write(delete)
        del self.entries[address.lower()]


class SuppressionOperations:
    """Put-, Get-, List- and DeleteSuppressedDestination."""

    def __init__(self, request_guard: RequestGuard, suppression: SuppressionList) -> None:
        self._request_guard = request_guard
        self._list = suppression

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
        await self._list.put(address, reason)
        return answer({})

    async def get(self, request: web.Request) -> web.Response:
        """One address."""
        await self._request_guard.admit(request, "GetSuppressedDestination")
        return answer({"SuppressedDestination": _document(*self._found(request))})

    async def list(self, request: web.Request) -> web.Response:
        """A page of addresses in alphabetical order, of the given reasons; the token is the last address."""
        await self._request_guard.admit(request, "ListSuppressedDestinations")
        reasons = request.query.getall("Reason", list(_REASONS))
        since = request.query.get("NextToken", "")
        found = sorted(
            (address, entry)
            for address, entry in self._list.entries.items()
            if entry.reason in reasons and address > since
        )
        size = _page_size(request.query.get("PageSize", ""))
        page = found[:size]
        more = {"NextToken": page[-1][0]} if len(found) > size else {}
        return answer({"SuppressedDestinationSummaries": [_document(*each) for each in page], **more})

    async def delete(self, request: web.Request) -> web.Response:
        """Remove an address."""
        await self._request_guard.admit(request, "DeleteSuppressedDestination")
        await self._list.remove(self._found(request)[0])
        return answer({})

    def _found(self, request: web.Request) -> tuple[str, Suppressed]:
        address = request.match_info["address"].lower()
        try:
            return address, self._list.entries[address]
        except KeyError:
            message = f"Email address {address} does not exist on your suppression list."
            raise AwsError("NotFoundException", message) from None


def _document(address: str, entry: Suppressed) -> dict[str, Any]:
    return {"EmailAddress": address, "Reason": entry.reason, "LastUpdateTime": entry.updated_at}


def _page_size(text: str) -> int:
    if not text:
        return _MAX_PAGE
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER or not 1 <= int(text) <= _MAX_PAGE:
        raise AwsError("BadRequestException", f"PageSize must be a number from 1 to {_MAX_PAGE}.")
    return int(text)
