"""The secret of the links, roles apart: the sidecar rotates it, workers that run follow."""

import sqlite3
from contextlib import closing
from itertools import count

import pytest

from tests.acceptance.links import DOES_NOT, WORKS, Links, answer_of, linked, links_of, unsubscribed
from tests.acceptance.roles.conftest import KEY, FleetHarness
from tests.servers.daemon import Daemon

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = count()


async def mail(harness: FleetHarness) -> tuple[str, Links]:
    """One that was just sent, and the links in it."""
    uuid = f"linked-{next(_numbers)}"
    await harness.publisher.publish([linked(uuid)])
    return uuid, await links_of(harness.sandbox, uuid)


async def rotated(harness: FleetHarness, *options: str) -> str:
    port = harness.fleet.url.rpartition(":")[2]
    variables = harness.variables | {"LEDGER": "jetstream", "SERVER_PORT": port, "API_KEY": KEY}
    return await answer_of(Daemon(harness.directory / "sidecar", variables, "secret", "rotate", *options))


async def until_workers_sign_with_the_new_secret(harness: FleetHarness) -> None:
    """Until mails of both have come in a row whose links work; those of an old secret don't."""
    in_a_row = 0
    while in_a_row < 10:
        _, links = await mail(harness)
        in_a_row = in_a_row + 1 if await unsubscribed(harness.fleet.url, links) == WORKS else 0


async def test_workers_follow_a_rotation_and_a_new_sidecar_knows_the_old_secrets(harness: FleetHarness) -> None:
    uuid, first = await mail(harness)
    assert (await rotated(harness)).endswith("signed go on working.")
    _, second = await mail(harness)
    await harness.fleet.sidecar.kill()
    await harness.fleet.sidecar.start()
    assert await unsubscribed(harness.fleet.url, first) == WORKS
    assert (await harness.ask("GET", f"/v1/suppressions/{uuid}@example.com"))["reason"] == "unsubscribed"
    assert await unsubscribed(harness.fleet.url, second) == WORKS


async def test_a_sidecar_without_its_file_has_the_secrets_from_the_bucket(harness: FleetHarness) -> None:
    _, first = await mail(harness)
    await rotated(harness)
    await harness.fleet.sidecar.stop()
    with closing(sqlite3.connect(harness.fleet.database)) as connection, connection:
        connection.execute("DELETE FROM facts WHERE name IN ('secret', 'older_secrets')")
    await harness.fleet.sidecar.start()
    assert await unsubscribed(harness.fleet.url, first) == WORKS


async def test_a_secret_that_was_forgotten_signs_and_opens_nothing(harness: FleetHarness) -> None:
    _, first = await mail(harness)
    assert await rotated(harness, "--forget-old") == (
        "Links are signed with a new secret. Links that old secrets signed no longer work."
    )
    assert await unsubscribed(harness.fleet.url, first) == DOES_NOT
    await until_workers_sign_with_the_new_secret(harness)  # nobody has restarted them
    await harness.fleet.sidecar.kill()
    await harness.fleet.sidecar.start()
    assert await unsubscribed(harness.fleet.url, first) == DOES_NOT
    await until_workers_sign_with_the_new_secret(harness)
