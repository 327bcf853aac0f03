"""Mail is found by its address wherever the index of addresses has got to, also by an erasure and after a restart."""

from pathlib import Path

import pytest

from email_consumer.dashboard import statements
from email_consumer.store import address_index
from email_consumer.store.database import Database, open_database
from email_consumer.store.erasure import erase
from tests.integration.store.mails import add_mail, rows

JANE = "jane@example.com"
JOHN = "john@example.com"


async def found(database: Database, address: str) -> list[str]:
    mails = await database.fetch(statements.MAILS_TO, {"address": address, "before": 2**63 - 1, "limit": 100})
    return [mail["uuid"] for mail in mails]


async def extend(database: Database) -> None:
    await database.call(lambda: address_index.extend)


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
    monkeypatch.setattr(address_index, "CHANGES", 3)
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
