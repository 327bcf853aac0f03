"""Brings the indexes of mail by address, domain and topic up to date, many mails at a time.

Written with each claim they would cost a page of a large file per mail and index. Sorted, thousands of mails share pages.
Searches also read the rows that are not in them yet, see `migrations/021_mail_addresses.sql` and `025_mail_lists.sql`.
"""

import sqlite3

from email_consumer.store.status import Status

CHANGES = 40_000
"""Row changes of the writer after which it extends the indexes: a few thousand mails, in 20 to 80 milliseconds."""

DOMAIN = """
iif(address LIKE '"%', substr(address, length(rtrim(address, replace(address, '@', ''))) + 1), substr(address, instr(address, '@') + 1))
"""
"""SQL for the domain of an `address`: all after the @; after the last one where the local part is in quotes, which takes longer."""

_NEW = "id > (SELECT last_id FROM mail_addresses_progress)"

_STATEMENTS = (
    f"INSERT OR IGNORE INTO mail_addresses SELECT coalesce(address, email), id FROM email_requests WHERE {_NEW} ORDER BY 1, 2",  # noqa: S608 - constants
    f"""
INSERT OR IGNORE INTO mail_domains
SELECT {DOMAIN}, id
FROM (SELECT coalesce(address, email) AS address, id FROM email_requests WHERE {_NEW}) ORDER BY 1, 2""",  # noqa: S608 - constants
    f"INSERT OR IGNORE INTO mail_topics SELECT topic_id, id FROM email_requests WHERE {_NEW} AND topic_id IS NOT NULL ORDER BY 1, 2",  # noqa: S608 - constants
    "UPDATE mail_addresses_progress SET last_id = (SELECT coalesce(max(id), 0) FROM email_requests)",
)
_INCIDENTS = (
    f"""
INSERT OR IGNORE INTO mail_incidents
SELECT iif(status = {Status.FAILED}, 'failed', 'stopped'), id, topic_id FROM email_requests
WHERE status IN ({Status.FAILED}, {Status.STOPPED}) AND {_NEW}""",  # noqa: S608 - constants
    f"""
INSERT OR IGNORE INTO mail_incidents
SELECT CASE result.status
        WHEN 'Bounce' THEN 'bounced' WHEN 'Complaint' THEN 'complained' WHEN 'DeliveryDelay' THEN 'delayed' ELSE 'failed'
    END, mail.id, mail.topic_id
FROM email_requests AS mail JOIN email_results AS result ON result.request_id = mail.id
WHERE result.status IN ('Bounce', 'Complaint', 'DeliveryDelay', 'Reject', 'Rendering Failure') AND mail.{_NEW}""",  # noqa: S608 - constants
)
"""Triggers note incidents at once, but not those of a file that is made again from a copy of its rows."""

CATCH_UP = ";\n".join((*_INCIDENTS, *_STATEMENTS, ""))
"""A script for the start: what a former process did not get to."""


def extend(connection: sqlite3.Connection) -> None:
    """Add all mail that is not in the indexes yet, as a part of the connection's transaction."""
    for statement in _STATEMENTS:
        connection.execute(statement)
