"""Statistics by topic and hour, from sums that triggers maintain: the cost does not grow with the tables."""

import time

from email_consumer.api import statements
from email_consumer.store.database import Database
from email_consumer.store.status import Status
from email_consumer.web.routing import ResultCounts


class Statistics:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def requests(self, topic_id: str) -> dict[Status, int]:
        """Number of a topic's mails by status, zeros included."""
        rows = await self._database.fetch(statements.STATUS_COUNTS, (topic_id,))
        return dict.fromkeys(Status, 0) | {Status(row["status"]): row["count"] for row in rows}

    async def transactional(self, topic_id: str) -> dict[Status, int]:
        """Number of a topic's transactional mails by status, zeros included; all others are bulk mail."""
        rows = await self._database.fetch(statements.TRANSACTIONAL_COUNTS, (topic_id,))
        return dict.fromkeys(Status, 0) | {Status(row["status"]): row["count"] for row in rows}

    async def results(self, topic_id: str) -> dict[str, int]:
        """Number of a topic's distinct recipients by kind of result; the common kinds even if zero."""
        rows = await self._database.fetch(statements.RESULT_COUNTS, (topic_id,))
        return dict.fromkeys(ResultCounts.model_fields, 0) | {row["kind"]: row["count"] for row in rows}

    async def sent(self, hours: int) -> int:
        """Mails that SES accepted in the last `hours`, to the minute."""
        ((count,),) = await self._database.fetch(statements.SENT_SINCE, (int(time.time()) // 60 - hours * 60,))
        return int(count)
