"""Payloads that hold a million values: each is refused, none costs memory worth speaking of, and mail goes out meanwhile."""

import io
import resource
from pathlib import Path

from tests.acceptance.api.conftest import serving
from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.bombs import BOMBS, REQUESTS

MEMORY = 250 * 2**20
"""Bytes resident at the peak: with requests of 16 MB each, and all bombs of a megabyte in hand at once."""
ADDRESS_SPACE = 2**30


def peak(pid: int) -> int:
    [line] = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def test_none_gets_through_and_none_is_an_error_of_ours(harness: DaemonHarness) -> None:
    uuids = [f"mail-{number}" for number in range(100)]
    bombs = [bomb() for bomb in BOMBS.values()]
    async with serving(harness) as api:
        resource.prlimit(api.daemon.pid, resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        await harness.publisher.publish([*map(as_map, uuids[:50]), *bombs, *map(as_map, uuids[50:])])
        for name, body in REQUESTS.items():
            url = f"http://127.0.0.1:{api.port}/v1/messages"
            headers = {"Content-Type": "application/json"}
            async with api.session.post(url, data=io.BytesIO(body()), headers=headers) as response:
                assert response.status in {400, 413, 422}, name
                assert len(await response.read()) < 10_000, name
        await harness.emptied()
        letters = await harness.publisher.dead_letters()
        assert peak(api.daemon.pid) < MEMORY
        assert api.daemon.count("daemon.started") == 1
        assert max(len(str(line)) for line in api.daemon.log) < 25_000
    assert sorted(letter.payload for letter in letters) == sorted(bombs)
    assert {letter.kind for letter in letters} == {"undecodable"}
    assert await harness.sent() == dict.fromkeys(uuids, 1)
