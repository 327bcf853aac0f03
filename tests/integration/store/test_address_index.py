"""Mail is found by its address wherever the index of addresses has got to, also by an erasure and after a kill."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from email_consumer.dashboard import statements
from email_consumer.store import address_index
from email_consumer.store.address_index import AddressIndex
from email_consumer.store.database import Database, open_database
from email_consumer.store.erasure import erase
from tests.integration.store.mails import add_mail, rows
from tests.waiting import until

JANE = "jane@example.com"
JOHN = "john@example.com"


async def found(database: Database, address: str) -> list[str]:
    mails = await database.fetch(statements.MAILS_TO, {"address": address, "before": 2**63 - 1, "limit": 100})
    return [mail["uuid"] for mail in mails]


async def entries(database: Database) -> list[tuple[object, ...]]:
    return await rows(database, "SELECT address, request_id FROM mail_addresses")


async def test_each_mail_is_found_once_before_during_and_after(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_index, "_ROWS", 2)
    index = AddressIndex(database)
    mails = [await add_mail(database, email=email) for email in (JANE, JOHN, f"Jane <{JANE.upper()}>", JANE, JOHN)]
    janes = {mails[0], mails[2], mails[3]}
    for added in (2, 2, 1, 0):
        assert sorted(await found(database, JANE)) == sorted(janes)
        assert await index.extend() == added
    assert sorted(await found(database, JANE)) == sorted(janes)
    assert await entries(database) == [(JANE, 1), (JANE, 3), (JANE, 4), (JOHN, 2), (JOHN, 5)]


async def test_an_erasure_finds_mail_in_the_index_and_not_yet_in_it(database: Database) -> None:
    await add_mail(database, email=JANE)
    await AddressIndex(database).extend()
    await add_mail(database, email=f"Jane <{JANE}>")
    await add_mail(database, email=JOHN)
    assert (await erase(database, JANE)).mails == 2
    await AddressIndex(database).extend()
    assert await found(database, JANE) == []
    left = await entries(database)
    assert len(left) == 3
    assert not [address for address, _ in left if "jane" in str(address)]


async def test_what_it_had_reached_is_known_after_a_restart(tmp_path: Path) -> None:
    async with open_database(tmp_path / "mail.db") as database:
        first = await add_mail(database, email=JANE)
        await AddressIndex(database).extend()
        second = await add_mail(database, email=JANE)
    async with open_database(tmp_path / "mail.db") as database:
        assert await found(database, JANE) == [first, second]
        assert await AddressIndex(database).extend() == 1


async def test_an_id_that_is_given_again_is_found(database: Database) -> None:
    for email in (JOHN, JANE, JANE):
        await add_mail(database, email=email)
    await AddressIndex(database).extend()
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM email_requests WHERE id = 2")
        await connection.execute("DELETE FROM email_requests WHERE id = 3")
    again = await add_mail(database, email=JOHN)
    assert (await found(database, JOHN))[1:] == [again]
    assert await found(database, JANE) == []
    await AddressIndex(database).extend()
    assert await entries(database) == [(JOHN, 1), (JOHN, 2)]


async def test_a_mail_that_comes_later_is_added_without_being_asked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_index, "_INTERVAL", 0.001)
    running = asyncio.create_task(AddressIndex(database).run())

    async def added(number: int) -> bool:
        return (JOHN, number) in await entries(database)

    for number in (1, 2):
        await add_mail(database, email=JOHN)
        await until(partial(added, number))
    running.cancel()
