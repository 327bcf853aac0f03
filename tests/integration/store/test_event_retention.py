"""What waits for somebody who takes events is bounded, and what is given up is counted."""

from email_consumer.core.metrics import Metrics
from email_consumer.store.database import Database
from email_consumer.store.event_retention import EventRetention
from tests.integration.store.mails import rows

DAY = 86_400.0
NOW = 1_000 * DAY


async def _events(database: Database, *ages: float, taken: int = 0) -> None:
    """Events of that age in days, the first `taken` of which everybody has."""
    async with database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO outbox (type, at) VALUES (?, ?)",
            [("" if number < taken else "sent", NOW - age * DAY) for number, age in enumerate(ages)],
        )


async def _deliveries(database: Database, *ages: float, waiting: bool = True) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT OR IGNORE INTO webhook_endpoints (id, url, secret, created_at) VALUES ('ep', 'https://a', 's', 0)"
        )
        await connection.executemany(
            "INSERT INTO webhook_deliveries (endpoint_id, event_id, type, body, next_at, created_at)"
            " VALUES ('ep', 'evt', 'sent', '{}', ?, ?)",
            [(NOW if waiting else None, NOW - age * DAY) for age in ages],
        )


async def _sweep(database: Database, most: int = 1_000_000) -> Metrics:
    metrics = Metrics()
    await EventRetention(database, 7 * DAY, metrics, most=most).sweep(NOW)
    return metrics


async def test_old_events_are_deleted_except_the_last(database: Database) -> None:
    await _events(database, 9, 9, 9, 1, 8, 9, taken=1)
    metrics = await _sweep(database)
    assert await rows(database, "SELECT seq FROM outbox") == [(4,), (6,)]
    assert metrics.events_dropped == {"outbox": 3, "webhook": 0}


async def test_no_more_than_so_many_events_wait(database: Database) -> None:
    await _events(database, *([0] * 2_500))
    metrics = await _sweep(database, most=300)
    assert await rows(database, "SELECT count(*), min(seq) FROM outbox") == [(300, 2_201)]
    assert metrics.events_dropped["outbox"] == 2_200


async def test_old_deliveries_are_deleted_and_those_that_waited_are_counted(database: Database) -> None:
    await _deliveries(database, *([9] * 1_500), waiting=False)
    await _deliveries(database, 9, 8, 1)
    metrics = await _sweep(database)
    assert await rows(database, "SELECT id FROM webhook_deliveries") == [(1_503,)]
    assert metrics.events_dropped["webhook"] == 2


async def test_the_oldest_deliveries_make_room(database: Database) -> None:
    await _deliveries(database, *([0] * 3_000))
    metrics = await _sweep(database, most=1_500)
    assert await rows(database, "SELECT count(*), min(id) FROM webhook_deliveries") == [(1_500, 1_501)]
    assert metrics.events_dropped["webhook"] == 1_500


async def test_a_gap_in_their_numbers_is_not_counted(database: Database) -> None:
    await _deliveries(database, *([0] * 100))
    async with database.transaction() as connection:
        await connection.execute("UPDATE webhook_deliveries SET id = id + 10000 WHERE id > 50")
    await _sweep(database, most=200)
    assert await rows(database, "SELECT count(*) FROM webhook_deliveries") == [(100,)]
