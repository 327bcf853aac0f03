"""Lets mail of sender domains with a ramp go on: as many recipients a day as the ramp allows, counted in the store.

The count and the release are one transaction, in the only process that has the store, so the limit of a day holds
whatever is restarted and however many workers there are.
"""

import time
from datetime import date

from email_consumer.core.ramps import Ramps
from email_consumer.holds import ramp_statements as statements
from email_consumer.holds.keys import ramp_key
from email_consumer.store.database import Database

_BATCH = 500
"""Mails per transaction."""


class RampRelease:
    def __init__(self, database: Database, ramps: Ramps) -> None:
        self._database = database
        self.ramps = ramps

    async def released(self, domain: str, day: date) -> int:
        """Recipients that have been let go on that day."""
        rows = await self._database.fetch(statements.RELEASED, (domain, day.isoformat()))
        return int(rows[0]["recipients"]) if rows else 0

    async def release(self, domain: str, day: date) -> int:
        """Release what the day still allows, up to some hundred mails; how many mails.

        Raises:
            sqlite3.OperationalError: nothing was released.
        """
        limit = self.ramps.limit(domain, day)
        if limit is None or await self.released(domain, day) >= limit:
            return 0
        place: dict[str, object] = {"domain": domain, "day": day.isoformat()}
        async with self._database.transaction() as connection:
            rows = list(await connection.execute_fetchall(statements.RELEASED, (domain, day.isoformat())))
            left = limit - (int(rows[0]["recipients"]) if rows else 0)
            if left <= 0:
                return 0
            chosen, recipients = [], 0
            waiting = await connection.execute_fetchall(statements.WAITING, {"key": ramp_key(domain), "limit": _BATCH})
            for row in waiting:
                if recipients + row["recipients"] > left:
                    break
                recipients += row["recipients"]
                chosen.append({"id": row["id"], "now": time.time()} | place)
            if chosen:
                await connection.executemany(statements.RELEASE, chosen)
                await connection.execute(statements.COUNT, place | {"recipients": recipients})
        return len(chosen)
