"""The copy of the rows that an earlier version's sidecar kept: taken over, and a file made again from it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from email_consumer.jetstream.publisher import Publisher
from email_consumer.replica.copier import Copier
from email_consumer.replica.rebuild import rebuild
from email_consumer.replica.stream import CopyStream
from email_consumer.store.database import open_database
from email_consumer.store.key_values import ensure_value
from tests.integration.replica.copies import delete, dump
from tests.servers.nats import NatsServer
from tests.upgrade.installation import VERSIONS, unpack

pytestmark = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
async def client(tmp_path: Path, version: str) -> AsyncIterator[Client]:
    unpack(version, "roles", tmp_path)
    async with NatsServer(tmp_path / "nats") as server:
        client = await nats.connect(server.url)
        yield client
        await client.close()


@asynccontextmanager
async def copying(path: Path, client: Client) -> AsyncIterator[Copier]:
    async with open_database(path) as database:
        ledger = await ensure_value(database, "ledger", str)
        copier = Copier(database, Publisher(client), stream="messages", replicas=1, ledger=ledger)
        await copier.prepare()
        yield copier


async def test_a_file_that_is_lost_is_made_again_and_migrated(tmp_path: Path, client: Client) -> None:
    path, other = tmp_path / "email.db", tmp_path / "other.db"
    async with open_database(path) as database:
        noted = {row["name"] for row in await database.fetch("SELECT name FROM replica_changes")}
    rebuilt = await rebuild(other, client, stream="messages")
    assert (rebuilt.missing, rebuilt.skipped) == ([], 0)
    async with copying(other, client):  # known as the file whose copy that is
        pass
    was, found = dump(path), dump(other)
    assert {table for table in was if was[table] != found[table]} <= noted  # what the killed sidecar had not copied yet
    assert len(found["email_requests"]) > 20


async def test_while_it_is_replaced_there_is_a_whole_one_at_every_moment(tmp_path: Path, client: Client) -> None:
    path, other = tmp_path / "email.db", tmp_path / "other.db"
    stream = CopyStream(client.jetstream(), "messages")
    async with copying(path, client) as copier:
        copy = await copier._begin()
        await copy.copy_changes(1000)
        expected, rounds = dump(path), 0
        while True:
            found = await stream.state()
            rebuilt = await rebuild(other, client, stream="messages")
            assert (rebuilt.missing, rebuilt.skipped) == ([], 0)
            async with open_database(other):  # migrates what is still of the earlier version
                pass
            assert dump(other) == expected
            if found and found.whole:
                break
            delete(other)
            await copy.copy_rows(10)
            rounds += 1
    assert rounds > 5
