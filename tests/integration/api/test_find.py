"""`GET /v1/find`: addresses, domains, topics and uuids by how they begin."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from email_consumer.api.find_routes import FindRoutes
from email_consumer.store import mail_index
from email_consumer.store.database import open_database
from tests.integration.dashboard.rows import Rows, serve

_NOTHING: dict[str, list[str]] = {"addresses": [], "domains": [], "topics": [], "uuids": []}


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Rows]:
    async with open_database(tmp_path / "email.db") as database, serve(database, FindRoutes(database).routes()) as it:
        await it.add("anna@example.com", "ann@example.com", "anna@example.com", topic="spring")
        await database.call(lambda: mail_index.extend)
        await it.add("anton@Exact.example", "bert@other.test", topic="Spring-2")  # not in the indexes yet
        yield it


async def test_each_kind_is_found_by_its_beginning(it: Rows) -> None:
    assert await it.get("/v1/find", text="Ann") == (
        200,
        _NOTHING | {"addresses": ["ann@example.com", "anna@example.com"]},
    )
    assert (await it.get("/v1/find", text="an"))[1]["addresses"] == [
        "ann@example.com",
        "anna@example.com",
        "anton@exact.example",
    ]
    assert (await it.get("/v1/find", text="@ex"))[1] == _NOTHING | {"domains": ["exact.example", "example.com"]}
    assert (await it.get("/v1/find", text="other"))[1] == _NOTHING | {"domains": ["other.test"]}
    assert (await it.get("/v1/find", text="spr"))[1] == _NOTHING | {"topics": ["spring"]}
    assert (await it.get("/v1/find", text="u-"))[1] == _NOTHING | {"uuids": [f"u-{number}" for number in range(1, 6)]}


async def test_a_limit_and_unknown_texts(it: Rows) -> None:
    assert (await it.get("/v1/find", text="an", limit=1))[1]["addresses"] == ["ann@example.com"]
    for text in ("nobody", "@", " ", "%", "\U0010ffff"):
        assert await it.get("/v1/find", text=text) == (200, _NOTHING)
    for text in ("", "x" * 257):
        assert (await it.get("/v1/find", text=text))[0] == 422


async def test_mail_whose_uuid_was_reused_is_not_found_by_it(it: Rows) -> None:
    await it.execute("UPDATE email_requests SET uuid = 'u-1' || char(0) || '1' WHERE uuid = 'u-1'")
    assert (await it.get("/v1/find", text="u-1"))[1]["uuids"] == []


async def test_an_address_with_much_mail_hides_no_other(it: Rows) -> None:
    await it.add(*["anna@example.com"] * 500)
    await it.add("anne@example.com")
    await it.database.call(lambda: mail_index.extend)
    found = (await it.get("/v1/find", text="anna", limit=2))[1]["addresses"]
    assert found == ["anna@example.com"]
    assert (await it.get("/v1/find", text="ann", limit=3))[1]["addresses"][-1] == "anne@example.com"
