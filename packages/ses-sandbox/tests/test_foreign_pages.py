"""No page of another site can read the sandbox's mail or give it orders."""

from pathlib import Path

import aiohttp
import pytest

from ses_sandbox.testing import Control, SandboxTask

CROSS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "empty"}


async def status(url: str, method: str = "GET", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.request(method, url, headers=named) as answer:
        return answer.status


@pytest.mark.parametrize("path", ["/", "/messages", "/mail/1", "/sandbox/faults", "/health"])
async def test_a_name_that_somebody_elses_dns_leads_here_is_refused(sandbox: Control, path: str) -> None:
    assert await status(sandbox.url + path, Host="evil.example.com") == 421
    assert await status(sandbox.url + path, Host="evil.example.com:8025") == 421
    assert await status(sandbox.url + path, "POST", Host="evil.example.com") == 421
    port = sandbox.url.rpartition(":")[2]
    assert await status(sandbox.url + "/health", Host=f"localhost:{port}") == 200


async def test_orders_of_other_sites_are_refused(sandbox: Control) -> None:
    for method, path in [
        ("DELETE", "/messages"),
        ("POST", "/sandbox/faults"),
        ("DELETE", "/sandbox/faults"),
        ("POST", "/"),
    ]:
        assert await status(sandbox.url + path, method, **CROSS) == 403
        assert await status(sandbox.url + path, method, Origin="https://evil.example.com") == 403
    assert await status(f"{sandbox.url}/messages", **CROSS) == 403
    assert await status(f"{sandbox.url}/messages", Sec_Fetch_Site="none") == 200
    assert await status(sandbox.url, Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="document") == 200


async def test_further_names_can_be_given(tmp_path: Path) -> None:
    async with SandboxTask(tmp_path, host="0.0.0.0", names=("sandbox",)) as sandbox:  # noqa: S104 - what a container does
        url = sandbox.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        for host, expected in {"sandbox": 200, "sandbox:8025": 200, "192.0.2.1:80": 200, "other": 421}.items():
            assert await status(f"{url}/health", Host=host) == expected


async def test_what_it_keeps_is_nobody_elses_to_read(tmp_path: Path) -> None:
    data = tmp_path / "new" / "sandbox"
    async with SandboxTask(data):
        kept = [path for path in data.iterdir() if not path.name.endswith(".pem")]
        assert {path.name for path in kept} >= {"sandbox.db", "sandbox.db-wal", "sandbox.db-shm", "sandbox.lock"}
        assert {path.stat().st_mode & 0o077 for path in kept} == {0}
