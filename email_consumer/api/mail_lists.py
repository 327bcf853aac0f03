"""Reads lists of mail, latest first. A page costs the same whatever the size of the table."""

import math
import sqlite3
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import orjson

from email_consumer.api import statements
from email_consumer.api.mail_filter import Search
from email_consumer.message.lane import Lane
from email_consumer.store.database import Database
from email_consumer.store.mail_state import MailState, StateAndReason, read_state
from email_consumer.store.status import Status
from email_consumer.web.routing import ApiModel
from email_consumer.web.times import Moment

_NEWEST = 2**63 - 1
_STEP = 500
"""Mails that are looked at in one statement; fewer at first, since they often fill the page."""
_MOST = 5_000
"""Mails that are looked at for a page."""
_EXPORTED = 250
"""Mails of an export that are read at a time: a few milliseconds, between which other work goes on."""


class MailSummary(ApiModel):
    uuid: str
    """With a NUL and a number appended if the uuid was reused later and now identifies another mail."""
    topic_id: str | None
    email: str
    """As the publisher wrote it."""
    status: str
    state: MailState
    """What became of it for its recipient."""
    reason: str | None
    """Of a bounce, complaint, delay or rejection, as SES reports it; otherwise the error."""
    in_doubt: bool
    error: str | None
    lane: Lane
    tenant: str | None
    subject: str | None
    source: str
    message_id: str | None
    """SES's id of the mail."""
    scheduled_at: Moment | None
    created_at: Moment
    finished_at: Moment | None


class MailListPage(NamedTuple):
    mails: list[MailSummary]
    next: int | None
    """The `before` of the next page; None on the last one."""


class MailLists:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, search: Search, before: int | None, limit: int) -> MailListPage:
        """Up to `limit` mails with ids below `before`.

        A page ends early, even without any mail, once many were looked at that were not wanted; `next` goes on from there.
        """
        first, before = await self._ids(search, _NEWEST if before is None else before)
        found: list[MailSummary] = []
        step, examined = limit, 0
        while examined < _MOST:
            ids = await self._candidates(search, first, before, step)
            examined += len(ids)
            for row in await self._listed(search, ids):
                known = read_state(row, time.time())
                if search.state is None or known.state is search.state:
                    found.append(_summary(row, known))
                    if len(found) == limit:
                        return MailListPage(found, row["id"])
            if len(ids) < step:
                return MailListPage(found, None)
            before, step = ids[-1], max(limit, min(4 * step, _STEP))
        return MailListPage(found, before)

    async def pages(self, search: Search) -> AsyncIterator[list[MailSummary]]:
        """All mail, some at a time."""
        before: int | None = _NEWEST
        while before is not None:
            mails, before = await self.page(search, before, _EXPORTED)
            yield mails

    async def _ids(self, search: Search, before: int) -> tuple[int, int]:
        """The range of ids that the times leave."""
        first = 0
        if search.checked["since"] > -math.inf:
            first = await self._first_since(search.checked["since"])
        if search.checked["until"] < math.inf:
            before = min(before, await self._first_since(search.checked["until"]))
        return first, before

    async def _first_since(self, moment: float) -> int:
        ((first,),) = await self._database.fetch(statements.FIRST_SINCE, {"moment": moment})
        return int(first)

    async def _candidates(self, search: Search, first: int, before: int, limit: int) -> list[int]:
        parameters = {
            "value": search.value,
            "topic_id": search.checked["topic_id"],
            "first": first,
            "before": before,
            "limit": limit,
        }
        return [row["id"] for row in await self._database.fetch(search.ids, parameters)]

    async def _listed(self, search: Search, ids: list[int]) -> list[sqlite3.Row]:
        parameters = {**search.checked, "ids": orjson.dumps(ids).decode()}
        return await self._database.fetch(statements.LISTED, parameters)


def _summary(row: sqlite3.Row, known: StateAndReason) -> MailSummary:
    return MailSummary(
        uuid=row["uuid"],
        topic_id=row["topic_id"],
        email=row["email"],
        status=Status(row["status"]).name.title(),
        state=known.state,
        reason=known.reason,
        in_doubt=row["in_doubt"],
        error=row["error"],
        lane=row["lane"] or Lane.BULK,  # an earlier version did not record it
        tenant=row["tenant"],
        subject=row["subject"],
        source=row["source"],
        message_id=row["message_id"],
        scheduled_at=row["scheduled_at"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
