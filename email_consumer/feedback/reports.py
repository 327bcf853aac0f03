"""What SES reports of a mail, for the reputation of its topic and tenant: what happened to a mail counts once.

SES may report it several times: for each of its recipients, as a delivery and then as an automatic reply, or in both of its
formats where an identity has notifications as well.
"""

from collections.abc import Iterable, Sequence
from sqlite3 import Row

import aiosqlite
import orjson

from email_consumer.core.mail_group import MailGroup, MailReport
from email_consumer.feedback import statements
from email_consumer.feedback.events import Event, Kind
from email_consumer.message.lane import Lane
from email_consumer.store.mail_state import NO_COMPLAINT

REPORTED = frozenset({Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY})
_NOT_COUNTED = frozenset({"OnAccountSuppressionList", "OnTenantSuppressionList"})
"""Subtypes of what SES reports without having tried, and does not count either."""


class Reports:
    """Of mails of which `earlier` results are known."""

    def __init__(self, earlier: Iterable[Row]) -> None:
        self._settled: set[int] = set()
        self._bounced: set[int] = set()
        self._complained: set[int] = set()
        for row in earlier:
            mail, (kind, _, subtype) = row["request_id"], row["detail"].partition("/")
            self._settled.add(mail)
            if subtype in _NOT_COUNTED:
                continue
            if row["status"] == Kind.BOUNCE and kind == "Permanent":
                self._bounced.add(mail)
            elif row["status"] == Kind.COMPLAINT and kind not in NO_COMPLAINT:
                self._complained.add(mail)

    def add(self, event: Event, mail: Row) -> MailReport:
        """What an event of a kind in `REPORTED` says that was not known."""
        tried = [result for result in event.recipients if result.subtype not in _NOT_COUNTED]
        bounced = event.kind is Kind.BOUNCE and any(result.is_bad_address for result in tried)
        complained = event.kind is Kind.COMPLAINT and any(result.type not in NO_COMPLAINT for result in tried)
        return MailReport(
            MailGroup(
                mail["topic_id"], mail["tenant"], Lane.TRANSACTIONAL if mail["lane"] == "transactional" else Lane.BULK
            ),
            mail["finished_at"] or event.happened_at,
            first=_is_new(mail["id"], self._settled),
            bounced=bounced and _is_new(mail["id"], self._bounced),
            complained=complained and _is_new(mail["id"], self._complained),
        )


def _is_new(mail: int, known: set[int]) -> bool:
    """Whether it was not known, which it is from now on."""
    new = mail not in known
    known.add(mail)
    return new


async def known_reports(connection: aiosqlite.Connection, mails: Sequence[int]) -> Reports:
    """Of the mails with these ids."""
    return Reports(await connection.execute_fetchall(statements.REPORTS, (orjson.dumps(mails).decode(),)))
