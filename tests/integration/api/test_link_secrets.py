"""The secrets of the links over HTTP: what is kept in the file, in which order, and when workers don't hear of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from email_consumer.api import link_secret_routes
from email_consumer.api.link_secret_routes import LinkSecretRoutes
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.store.database import Database
from email_consumer.store.key_values import write_value
from email_consumer.store.link_secrets import keep_link_secrets, read_link_secrets, write_link_secrets
from email_consumer.web.app import create_app
from email_consumer.web.server import Server

KEY = "key"


class Elsewhere:
    """The other processes: what the database contained when they were notified."""

    def __init__(self, database: Database) -> None:
        self.published: list[tuple[str, ...]] = []
        self.hears = True
        self._database = database

    async def publish(self) -> None:
        if not self.hears:
            raise TimeoutError
        self.published.append(await read_link_secrets(self._database))


class Client:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session

    async def ask(self, method: str, path: str = "", body: object = None, key: str = KEY) -> tuple[int, Any]:
        url, headers = f"{self._url}/v1/link-secrets{path}", {"X-API-KEY": key}
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def serving(database: Database, secrets: LinkSecrets, elsewhere: Elsewhere) -> AsyncIterator[Client]:
    app = create_app(LinkSecretRoutes(database, secrets, elsewhere.publish).routes(), [KEY], version="0")
    async with Server(app, 0, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        yield Client(f"http://127.0.0.1:{server.port}", session)


async def test_a_file_of_the_version_before_has_one_secret(database: Database) -> None:
    await write_value(database, "secret", "before")
    assert await keep_link_secrets(database) == ("before",)


async def test_a_secret_is_made_once(database: Database) -> None:
    made = await keep_link_secrets(database)
    assert len(made) == 1
    assert await keep_link_secrets(database) == made


async def test_each_rotation_adds_one_and_forgetting_leaves_the_newest(database: Database) -> None:
    await write_link_secrets(database, ("first",))
    secrets, elsewhere = LinkSecrets("first"), Elsewhere(database)
    async with serving(database, secrets, elsewhere) as client:
        assert await client.ask("POST", body={}) == (200, {"old": 1})
        assert await client.ask("POST", body={"forget_old": False}) == (200, {"old": 2})
        assert (len(secrets.kept), secrets.kept[2]) == (3, "first")
        assert await read_link_secrets(database) == secrets.kept == elsewhere.published[-1]
        newest = secrets.kept[0]
        assert await client.ask("DELETE", "/old") == (200, {"old": 0})
        assert secrets.kept == await read_link_secrets(database) == (newest,)
        assert await client.ask("DELETE", "/old") == (200, {"old": 0})
        assert secrets.kept == (newest,)


async def test_old_ones_are_forgotten_only_when_all_know_the_new_one(database: Database) -> None:
    await write_link_secrets(database, ("first",))
    secrets, elsewhere = LinkSecrets("first"), Elsewhere(database)
    async with serving(database, secrets, elsewhere) as client:
        elsewhere.hears = False
        status, answer = await client.ask("POST", body={"forget_old": True})
        assert (status, answer["error"]["code"]) == (503, "not_told")
        assert (await client.ask("DELETE", "/old"))[0] == 503
        assert secrets.kept[1:] == ("first",)
        elsewhere.hears = True
        assert await client.ask("POST", body={"forgetOld": True}) == (200, {"old": 0})
        assert [kept[-1] for kept in elsewhere.published] == ["first", secrets.kept[0]]
        assert await read_link_secrets(database) == secrets.kept


async def test_a_worker_that_never_responds_is_not_awaited_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_secret_routes, "_TIMEOUT", 0.0)
    await write_link_secrets(database, ("first",))
    secrets = LinkSecrets("first")
    async with serving(database, secrets, Elsewhere(database)) as client:
        assert (await client.ask("POST", body={"forget_old": True}))[0] == 503
        assert secrets.kept[1:] == ("first",)


async def test_strangers_rotate_nothing(database: Database) -> None:
    secrets = LinkSecrets("first")
    async with serving(database, secrets, Elsewhere(database)) as client:
        for method, path in (("POST", ""), ("DELETE", "/old")):
            assert (await client.ask(method, path, {}, key="wrong"))[0] == 401
        assert (await client.ask("POST", body={"forget_old": "perhaps"}))[0] == 422
        assert secrets.kept == ("first",)
