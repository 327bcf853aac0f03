"""The secret of the links is rotated while the daemon runs, by the command as operators use it."""

import asyncio

from tests.acceptance.api.conftest import KEY, Api, serving
from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.links import DOES_NOT, WORKS, answer_of, linked, links_of, looked_at, unsubscribed
from tests.servers.daemon import Daemon


async def secret(api: Api, *arguments: str) -> str:
    variables = api.harness.variables | {"SERVER_PORT": str(api.port), "API_KEY": KEY}
    return await answer_of(Daemon(api.harness.directory / "daemon", variables, "secret", *arguments))


async def opened(api: Api, uuid: str) -> bool:
    _, details = await api.ask("GET", f"/v1/messages/{uuid}")
    return any(result["kind"] == "Open" for result in details["results"])


async def test_links_work_after_a_rotation_and_a_restart_and_no_more_once_it_is_forgotten(
    harness: DaemonHarness,
) -> None:
    async with serving(harness) as api:
        url = f"http://127.0.0.1:{api.port}"
        await harness.publisher.publish([linked("first"), linked("before")])
        first, before = await links_of(harness.sandbox, "first"), await links_of(harness.sandbox, "before")
        assert await secret(api, "rotate") == (
            "Links are signed with a new secret. Those that 1 old secret signed go on working."
        )
        await harness.publisher.publish([linked("second")])
        second = await links_of(harness.sandbox, "second")
        for links in (first, second):
            status, page = await looked_at(url, links)
            assert (status, "<button>" in page) == (WORKS, True)
        await api.daemon.stop()
    async with serving(harness) as api:
        url = f"http://127.0.0.1:{api.port}"
        assert await unsubscribed(url, first) == WORKS
        _, details = await api.ask("GET", "/v1/suppressions/first@example.com")
        assert details["reason"] == "unsubscribed"
        while not (await opened(api, "first") and await opened(api, "second")):  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)
        assert await secret(api, "forget-old", "--yes") == "Links that old secrets signed no longer work."
        status, page = await looked_at(url, before)
        assert (status, "This link does not work" in page) == (DOES_NOT, True)
        assert await unsubscribed(url, before) == DOES_NOT
        assert (await api.ask("GET", "/v1/suppressions/before@example.com"))[0] == DOES_NOT
        assert await unsubscribed(url, second) == WORKS
        await harness.publisher.publish([linked("third")])
        third = await links_of(harness.sandbox, "third")
        assert (await looked_at(url, third))[0] == WORKS
        while not await opened(api, "third"):  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)
        assert not await opened(api, "before")  # whose pixel was loaded earlier


async def test_a_leaked_secret_is_replaced_in_one_step(api: Api) -> None:
    url = f"http://127.0.0.1:{api.port}"
    await api.harness.publisher.publish([linked("leaked")])
    leaked = await links_of(api.harness.sandbox, "leaked")
    assert await secret(api, "rotate", "--forget-old") == (
        "Links are signed with a new secret. Links that old secrets signed no longer work."
    )
    assert await unsubscribed(url, leaked) == DOES_NOT
    await api.harness.publisher.publish([linked("safe")])
    assert await unsubscribed(url, await links_of(api.harness.sandbox, "safe")) == WORKS
