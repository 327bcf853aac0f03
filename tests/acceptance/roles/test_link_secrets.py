"""The secret of the links, roles apart: the sidecar rotates it, workers that run follow."""

import sqlite3
from contextlib import closing
from itertools import count

import pytest

from tests.acceptance.links import DOES_NOT, WORKS, Links, answer_of, linked, links_of, unsubscribed
from tests.acceptance.roles.conftest import KEY, Site
from tests.servers.daemon import Daemon

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = count()


async def mail(site: Site) -> tuple[str, Links]:
    """One that was just sent, and the links in it."""
    uuid = f"linked-{next(_numbers)}"
    await site.publisher.publish([linked(uuid)])
    return uuid, await links_of(site.sandbox, uuid)


async def rotated(site: Site, *options: str) -> str:
    port = site.fleet.url.rpartition(":")[2]
    variables = site.variables | {"LEDGER": "jetstream", "SERVER_PORT": port, "API_KEY": KEY}
    return await answer_of(Daemon(site.directory / "sidecar", variables, "secret", "rotate", *options))


async def until_workers_sign_anew(site: Site) -> None:
    """Until mails of both have come in a row whose links work; those of an old secret don't."""
    in_a_row = 0
    while in_a_row < 10:
        _, links = await mail(site)
        in_a_row = in_a_row + 1 if await unsubscribed(site.fleet.url, links) == WORKS else 0


async def test_workers_follow_a_rotation_and_a_new_sidecar_knows_the_old_secrets(site: Site) -> None:
    uuid, first = await mail(site)
    assert (await rotated(site)).endswith("signed go on working.")
    _, second = await mail(site)
    await site.fleet.sidecar.kill()
    await site.fleet.sidecar.start()
    assert await unsubscribed(site.fleet.url, first) == WORKS
    assert (await site.ask("GET", f"/v1/suppressions/{uuid}@example.com"))["reason"] == "unsubscribed"
    assert await unsubscribed(site.fleet.url, second) == WORKS


async def test_a_sidecar_without_its_file_has_the_secrets_from_the_bucket(site: Site) -> None:
    _, first = await mail(site)
    await rotated(site)
    await site.fleet.sidecar.stop()
    with closing(sqlite3.connect(site.fleet.database)) as connection, connection:
        connection.execute("DELETE FROM facts WHERE name IN ('secret', 'older_secrets')")
    await site.fleet.sidecar.start()
    assert await unsubscribed(site.fleet.url, first) == WORKS


async def test_a_secret_that_was_forgotten_signs_and_opens_nothing(site: Site) -> None:
    _, first = await mail(site)
    assert await rotated(site, "--forget-old") == (
        "Links are signed with a new secret. Links that old secrets signed no longer work."
    )
    assert await unsubscribed(site.fleet.url, first) == DOES_NOT
    await until_workers_sign_anew(site)  # nobody has restarted them
    await site.fleet.sidecar.kill()
    await site.fleet.sidecar.start()
    assert await unsubscribed(site.fleet.url, first) == DOES_NOT
    await until_workers_sign_anew(site)
