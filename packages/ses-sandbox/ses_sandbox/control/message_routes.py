"""The mails the sandbox accepted, as JSON."""

import asyncio
from typing import Any

from aiohttp import web

from ses_sandbox.control.mail_view import mail_document
from ses_sandbox.control.wire import number, patience, reply
from ses_sandbox.mailbox import Mailbox, searchable

_MAX_PAGE = 1_000
# SQLite itself builds the long lists: one step without the interpreter lock instead of one per row.
_UUIDS = """
SELECT json_group_array(json_array(uuid, n)) FROM (SELECT uuid, count(*) AS n FROM mails GROUP BY uuid)
"""
_TIMELINE = "SELECT json_group_array(json_array(received_at, recipients)) FROM (SELECT * FROM mails ORDER BY id)"


class MessageRoutes:
    """`/messages`: what was accepted, oldest first."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._database = mailbox.database

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/messages", self.show),
            web.delete("/messages", self.empty),
            web.get("/messages/count", self.count),
            web.get("/messages/uuids", self.uuids),
            web.get("/messages/timeline", self.timeline),
            web.get("/messages/wait", self.wait),
            web.get(r"/messages/{id:[0-9]{1,18}}", self.show_one),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Mails by `to` and `uuid`; `after` an id, or from an `offset`; at most `limit`; `count_only` without them."""
        where, values = _condition(request)
        matching = await self._count(where, values)
        if request.query.get("count_only", "").lower() in ("1", "true"):
            return reply({"count": matching})
        page = (
            number(request, "after", 0),
            min(number(request, "limit", 100), _MAX_PAGE),
            number(request, "offset", 0),
        )
        rows = await self._database.read(
            "SELECT mails.id, message_id, received_at, body FROM mails JOIN requests ON mail_id = mails.id"  # noqa: S608 - `where` contains only our text
            f" WHERE {where} AND mails.id > ? ORDER BY mails.id LIMIT ? OFFSET ?",
            (*values, *page),
        )
        return reply({"count": matching, "messages": [mail_document(*row) for row in rows]})

    async def show_one(self, request: web.Request) -> web.Response:
        """One mail by its id."""
        rows = await self._database.read(
            "SELECT id, message_id, received_at, body FROM mails JOIN requests ON mail_id = id WHERE id = ?",
            (int(request.match_info["id"]),),
        )
        if not rows:
            raise web.HTTPNotFound
        return reply(mail_document(*rows[0]))

    async def count(self, _request: web.Request) -> web.Response:
        """How many mails are stored, to how many recipients, with how many distinct uuids."""
        [(stored, distinct, recipients)] = await self._database.read(
            "SELECT count(*), count(DISTINCT uuid), coalesce(sum(recipients), 0) FROM mails"
        )
        return reply({"count": stored, "distinct_uuids": distinct, "recipients": recipients})

    async def uuids(self, _request: web.Request) -> web.Response:
        """`[uuid, count]` of every uuid; a mail without one counts under null."""
        [(document,)] = await self._database.read(_UUIDS)
        return web.Response(text=f'{{"uuids":{document}}}', content_type="application/json")

    async def timeline(self, _request: web.Request) -> web.Response:
        """`[received at (Unix seconds), recipients]` of every mail, in the order of acceptance."""
        [(document,)] = await self._database.read(_TIMELINE)
        return web.Response(text=f'{{"timeline":{document}}}', content_type="application/json")

    async def wait(self, request: web.Request) -> web.Response:
        """Answer once `count` mails (by `to` and `uuid`, if given) are stored, or after `timeout` seconds.

        `reached` says which. Without a condition, mails that `keep` has pushed out count too.
        """
        wanted = number(request, "count", 1)
        where, values = _condition(request)

        async def stored() -> int:
            return await self._count(where, values) if values else self._mailbox.accepted

        async def reached() -> bool:
            return await stored() >= wanted

        try:
            async with asyncio.timeout(patience(request)):
                await self._mailbox.arrival.wait_until(reached)
        except TimeoutError:
            return reply({"reached": False, "count": await stored()})
        return reply({"reached": True, "count": await stored()})

    async def empty(self, _request: web.Request) -> web.Response:
        """Delete all mails."""
        await self._mailbox.empty()
        return reply({"count": 0})

    async def _count(self, where: str, values: tuple[Any, ...]) -> int:
        [(matching,)] = await self._database.read(f"SELECT count(*) FROM mails WHERE {where}", values)  # noqa: S608 - see show
        return int(matching)


def _condition(request: web.Request) -> tuple[str, tuple[Any, ...]]:
    parts, values = ["TRUE"], []
    if "uuid" in request.query:
        parts.append("uuid = ?")
        values.append(request.query["uuid"])
    if "to" in request.query:
        parts.append("instr(destination, ?) > 0")
        values.append(searchable((request.query["to"],)))
    return " AND ".join(parts), tuple(values)
