"""What retention deletes and what it leaves, on a real SQLite file."""

import asyncio
import time

from email_consumer.runtime.tasks import end
from email_consumer.store.database import Database
from email_consumer.store.retention import Retention
from email_consumer.store.status import Status
from tests.factories import content
from tests.integration.store.mails import add_mail, rows
from tests.waiting import until

DAY = 86_400.0
NOW = 1_000 * DAY
KEEP = 90 * DAY
OLD, YOUNG = NOW - KEEP - DAY, NOW - KEEP + DAY


async def _uuids(database: Database) -> set[object]:
    return {uuid for (uuid,) in await rows(database, "SELECT uuid FROM email_requests")}


async def _uuids_are(database: Database, expected: set[object]) -> bool:
    return await _uuids(database) == expected


async def test_finished_mail_is_forgotten_when_its_time_is_over(database: Database) -> None:
    await add_mail(database, created=OLD)
    await add_mail(database, created=OLD, status=Status.FAILED, error="550", results=[("Bounce", "a@example.com")])
    await add_mail(database, created=OLD, status=Status.STOPPED)
    kept = {
        await add_mail(database, created=OLD, status=Status.CREATED),
        await add_mail(database, created=OLD, status=Status.PROCESSED, in_doubt=True),
        await add_mail(database, created=OLD, finished=YOUNG),
        await add_mail(database, created=YOUNG),
    }
    assert await Retention(database, KEEP).sweep(NOW) == 3
    assert await _uuids(database) == kept
    assert await rows(database, "SELECT * FROM email_attempts UNION ALL SELECT 1, 1, 1, 1, 1 FROM email_results") == []


async def test_mail_finished_at_no_known_time_is_forgotten_by_its_last_change(database: Database) -> None:
    await add_mail(database, created=OLD)
    await add_mail(database, created=OLD)
    kept = await add_mail(database, created=OLD)
    async with database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET finished_at = NULL WHERE id <> 2")
        await connection.execute("UPDATE email_requests SET updated_at = ? WHERE uuid = ?", (YOUNG, kept))
    assert await Retention(database, KEEP).sweep(NOW) == 2
    assert await _uuids(database) == {kept}


async def test_mail_of_a_clock_that_was_ahead_does_not_keep_what_came_later(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO email_requests (uuid, email, status, finished_at, source, created_at, updated_at)"
            " VALUES (?, 'a@example.com', 2, ?, 'nats', ?, ?)",
            [(f"ahead-{number}", *[NOW + 365 * DAY] * 3) for number in range(200)],
        )
    await add_mail(database, created=OLD)
    assert await Retention(database, KEEP).sweep(NOW) == 1


async def test_a_second_sweep_finds_nothing(database: Database) -> None:
    await add_mail(database, created=OLD)
    retention = Retention(database, KEEP)
    assert [await retention.sweep(NOW), await retention.sweep(NOW)] == [1, 0]


async def test_mail_that_is_kept_for_a_short_time_is_looked_for_often(database: Database) -> None:
    retention = asyncio.create_task(Retention(database, 0.1).run())
    await add_mail(database, created=time.time(), finished=time.time())
    await until(lambda: _uuids_are(database, set()))
    await add_mail(database, created=time.time(), finished=time.time())
    await until(lambda: _uuids_are(database, set()))
    await end(retention)


async def test_a_content_lasts_as_long_as_a_mail_that_has_it(database: Database) -> None:
    shared, lone = content("shared"), content("lone")
    await add_mail(database, created=OLD, content=lone)
    await add_mail(database, created=OLD, content=shared)
    await add_mail(database, created=YOUNG, content=shared)
    await Retention(database, KEEP).sweep(NOW)
    assert await rows(database, "SELECT content FROM email_contents") == [("shared",)]


async def test_the_sums_of_topics_follow(database: Database) -> None:
    bounced = [("Bounce", "a@example.com")]
    await add_mail(database, topic="gone", created=OLD, results=bounced)
    await add_mail(database, topic="mixed", created=OLD, results=[*bounced, ("Open", "b@example.com")])
    await add_mail(database, topic="mixed", created=YOUNG, results=bounced)
    await Retention(database, KEEP).sweep(NOW)
    assert await rows(database, "SELECT * FROM topic_counts") == [("mixed", Status.SENT, 1)]
    assert await rows(database, "SELECT * FROM topic_results") == [("mixed", "Bounce", 1)]
    assert await rows(database, "SELECT * FROM topic_recipients") == [("mixed", "Bounce", "a@example.com")]


async def test_what_lies_aside_ages_too(database: Database) -> None:
    async with database.transaction() as connection:
        for moment in (OLD, YOUNG):
            await connection.execute("INSERT INTO sent_minutes VALUES (?, 1)", (int(moment) // 60,))
            await connection.execute("INSERT INTO idempotency_keys VALUES (?, x'00', '{}', ?)", (str(moment), moment))
            await connection.execute(
                "INSERT INTO suppressions (address, reason, source, created_at, removed_at) VALUES (?, 'manual', 'api', 0, ?)",
                (f"{moment}@example.com", moment),
            )
            await connection.execute(  # as a delivery leaves it that interrupts a series of soft bounces
                "INSERT INTO suppressions (address, reason, source, created_at, removed_at)"
                " VALUES (?, 'soft bounces', 'event', ?, 0)",
                (f"soft-{moment}@example.com", moment),
            )
        await connection.execute(
            "INSERT INTO suppressions (address, reason, source, created_at) VALUES ('on@example.com', 'manual', 'api', 0)"
        )
    await Retention(database, KEEP).sweep(NOW)
    assert await rows(database, "SELECT count(*) FROM sent_minutes") == [(1,)]
    assert await rows(database, "SELECT count(*) FROM idempotency_keys") == [(1,)]
    assert {address for (address,) in await rows(database, "SELECT address FROM suppressions")} == {
        "on@example.com",
        f"{YOUNG}@example.com",
        f"soft-{YOUNG}@example.com",
    }


async def test_ended_holds_and_canaries_of_topics_without_mail_are_forgotten(database: Database) -> None:
    await add_mail(database, topic="of mail", created=YOUNG)
    async with database.transaction() as connection:
        for key, ended in (("topic:old", OLD), ("topic:young", YOUNG), ("account", None)):
            await connection.execute(
                "INSERT INTO holds (key, reason, holder, since, transactional, ended_at) VALUES (?, '', 'canary', ?, 0, ?)",
                (key, OLD, ended),
            )
        for topic, since in (("old", OLD), ("of mail", OLD), ("young", YOUNG)):
            await connection.execute("INSERT INTO canaries VALUES (?, ?)", (topic, since))
    await Retention(database, KEEP).sweep(NOW)
    assert {key for (key,) in await rows(database, "SELECT key FROM holds")} == {"topic:young", "account"}
    assert {topic for (topic,) in await rows(database, "SELECT topic_id FROM canaries")} == {"of mail", "young"}


async def test_the_file_shrinks_where_much_of_it_is_free(database: Database) -> None:
    await add_mail(database, created=YOUNG)
    for number in range(50):
        await add_mail(database, created=OLD, content=content(f"{number}" + "x" * 20_000))
    await Retention(database, KEEP).sweep(NOW)
    [(pages,)] = await rows(database, "PRAGMA page_count")
    [(free,)] = await rows(database, "PRAGMA freelist_count")
    assert isinstance(free, int)
    assert isinstance(pages, int)
    assert pages < 100
    assert free <= pages / 10


async def test_the_writer_s_turn_comes_between_the_steps(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO email_requests (uuid, email, status, finished_at, source, created_at, updated_at)"
            " VALUES (?, 'a@example.com', 2, ?, 'nats', ?, ?)",
            [(f"bulk-{number}", OLD, OLD, OLD) for number in range(1_000)],
        )
    sweeping = asyncio.create_task(Retention(database, KEEP).sweep(NOW))
    left = set()
    while not sweeping.done():
        async with database.transaction() as connection:
            [row] = await connection.execute_fetchall("SELECT count(*) FROM email_requests")
        left.add(row[0])
    assert await sweeping == 1_000
    assert left >= {800, 600, 400, 200}  # each step left room for another writer
