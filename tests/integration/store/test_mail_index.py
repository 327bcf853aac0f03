"""Mail is found by its address wherever the index of addresses has got to, also by an erasure and after a restart."""

from pathlib import Path

import pytest

from email_consumer.api import statements
from email_consumer.store import mail_index
from email_consumer.store.database import Database, open_database
from email_consumer.store.erasure import erase
from email_consumer.store.status import Status
from tests.integration.store.mails import add_mail, rows

JANE = "jane@example.com"
JOHN = "john@example.com"


async def found(database: Database, address: str) -> list[str]:
    place = {"value": address, "first": 0, "before": 2**63 - 1, "limit": 100}
    ids = [row["id"] for row in await database.fetch(statements.IDS_BY_ADDRESS, place)]
    return [(await database.fetch("SELECT uuid FROM email_requests WHERE id = ?", (each,)))[0]["uuid"] for each in ids]


async def extend(database: Database) -> None:
    await database.call(lambda: mail_index.extend)


async def _extend_addresses(database: Database) -> None:
    """As version 21 did, which set addresses in normal form, too."""
    async with database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET address = nullif(normal_form(email), email)")
        await connection.execute("INSERT INTO mail_addresses SELECT coalesce(address, email), id FROM email_requests")
        await connection.execute("UPDATE mail_addresses_progress SET last_id = 4")


async def entries(database: Database) -> list[tuple[object, ...]]:
    return await rows(database, "SELECT address, request_id FROM mail_addresses")


async def test_each_mail_is_found_once_before_and_after_it_is_in_the_index(database: Database) -> None:
    mails = []
    for email in (JANE, JOHN, f"Jane <{JANE.upper()}>", JANE, JOHN):
        mails.append(await add_mail(database, email=email))
        if len(mails) == 2:
            await extend(database)
    janes = sorted([mails[0], mails[2], mails[3]])
    assert await entries(database) == [(JANE, 1), (JOHN, 2)]
    assert sorted(await found(database, JANE)) == janes
    await extend(database)
    assert await entries(database) == [(JANE, 1), (JANE, 3), (JANE, 4), (JOHN, 2), (JOHN, 5)]
    assert sorted(await found(database, JANE)) == janes


@pytest.mark.parametrize("by_call", [True, False])
async def test_it_follows_after_some_changes(
    database: Database, monkeypatch: pytest.MonkeyPatch, by_call: bool
) -> None:
    for _ in range(3):
        await add_mail(database, email=JOHN)
    assert await entries(database) == []
    monkeypatch.setattr(mail_index, "CHANGES", 6)  # a mail changes fewer rows than that
    if by_call:
        await database.call(lambda: lambda _: None)
    else:
        async with database.transaction():
            pass
    assert await entries(database) == [(JOHN, 1), (JOHN, 2), (JOHN, 3)]
    await add_mail(database, email=JANE)
    assert len(await entries(database)) == 3


async def test_an_erasure_finds_mail_in_the_index_and_not_yet_in_it(database: Database) -> None:
    await add_mail(database, email=JANE)
    await extend(database)
    await add_mail(database, email=f"Jane <{JANE}>")
    await add_mail(database, email=JOHN)
    assert (await erase(database, JANE)).mails == 2
    await extend(database)
    assert await found(database, JANE) == []
    left = await entries(database)
    assert len(left) == 3
    assert not [address for address, _ in left if "jane" in str(address)]


async def test_an_erasure_leaves_no_domain(database: Database) -> None:
    await add_mail(database, email="me@jane-doe.example")
    await extend(database)
    await erase(database, "me@jane-doe.example")
    await extend(database)
    assert "jane-doe.example" not in str(await rows(database, "SELECT domain FROM mail_domains"))


async def test_the_migration_fills_the_lists_as_triggers_do(tmp_path: Path) -> None:
    """Mail of an earlier version, and the same mail written by this one."""
    lists = []
    for version in (21, None):
        path = tmp_path / f"{version}" / "mail.db"
        async with open_database(path, version=version) as database:
            await add_mail(database, email=JANE, topic="t", results=[("Delivery", JANE), ("Bounce", JANE)])
            await add_mail(database, email=f"J <{JANE.upper()}>", status=Status.FAILED, results=[("Complaint", JANE)])
            await add_mail(database, email='"a@b"@bücher.example', topic="t", status=Status.STOPPED)
            await add_mail(database, email=JOHN, topic="u", results=[("DeliveryDelay", JOHN), ("Reject", JOHN)])
            await (_extend_addresses(database) if version else extend(database))
        async with open_database(path) as database:
            names = ("mail_topics", "mail_domains", "mail_incidents")
            queries = {name: f"SELECT * FROM {name} ORDER BY 1, 2" for name in names}  # noqa: S608 - the names above
            lists.append({name: await rows(database, query) for name, query in queries.items()})
    assert lists[0] == lists[1]
    assert lists[1]["mail_topics"] == [("t", 1), ("t", 3), ("u", 4)]
    assert lists[1]["mail_domains"] == [
        ("example.com", 1),
        ("example.com", 2),
        ("example.com", 4),
        ("xn--bcher-kva.example", 3),
    ]
    assert [(state, mail) for state, mail, _ in lists[1]["mail_incidents"]] == [
        ("bounced", 1),
        ("complained", 2),
        ("delayed", 4),
        ("failed", 2),
        ("failed", 4),
        ("stopped", 3),
    ]


async def test_incidents_of_a_file_that_was_made_again_are_noted_at_its_start(tmp_path: Path) -> None:
    query = "SELECT state, request_id, topic_id FROM mail_incidents ORDER BY 1, 2"
    async with open_database(tmp_path / "mail.db") as database:
        await add_mail(database, topic="t", results=[("Bounce", "a@example.com"), ("Complaint", "a@example.com")])
        await add_mail(database, status=Status.FAILED, results=[("DeliveryDelay", "a@example.com")])
        await add_mail(database, status=Status.STOPPED, results=[("Reject", "a@example.com")])
        noted = await rows(database, query)
        assert len(noted) == 6
        async with database.transaction() as connection:
            await connection.execute("DELETE FROM mail_incidents")
    async with open_database(tmp_path / "mail.db") as database:
        assert await rows(database, query) == noted


async def test_what_is_missing_is_added_at_the_next_start(tmp_path: Path) -> None:
    async with open_database(tmp_path / "mail.db") as database:
        mails = [await add_mail(database, email=JANE) for _ in range(2)]
        assert await entries(database) == []
    async with open_database(tmp_path / "mail.db") as database:
        assert await entries(database) == [(JANE, 1), (JANE, 2)]
        assert sorted(await found(database, JANE)) == sorted(mails)


async def test_an_id_that_is_given_again_is_found(database: Database) -> None:
    for email in (JOHN, JANE, JANE):
        await add_mail(database, email=email)
    await extend(database)
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM email_requests WHERE id = 2")
        await connection.execute("DELETE FROM email_requests WHERE id = 3")
    again = await add_mail(database, email=JOHN)
    assert again in await found(database, JOHN)
    assert await found(database, JANE) == []
    await extend(database)
    assert await entries(database) == [(JOHN, 1), (JOHN, 2)]
