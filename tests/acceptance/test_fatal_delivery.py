"""A mail that kills each process that reads it becomes a dead letter, unread; all other mail goes out once."""

import base64
import signal
from pathlib import Path

import pytest

from email_consumer.core.careful_reader import FATAL
from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import as_map
from tests.servers.daemon import Daemon
from tests.servers.fleet import Fleet
from tests.servers.ports import free_ports
from tests.servers.preloaded import RUN_FIRST

DEADLY = as_map("deadly")
UUIDS = [f"mail-{number}" for number in range(20)]
# No payload is known that does it. This runs before the program, and from then on there is one.
_PLANTED = f"""
import os, signal
from email_consumer.message import model

def deadly(read):
    def reading(payload):
        if payload in {(DEADLY, base64.b64encode(DEADLY))!r}:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(payload)
    return reading

model.read_plain_mail, model.parse = deadly(model.read_plain_mail), deadly(model.parse)
"""


@pytest.fixture
def planted(tmp_path: Path) -> dict[str, str]:
    """Variables with which one payload kills any process that reads it. What was in flight then is parked, never sent twice."""
    planted = tmp_path / "planted.py"
    planted.write_text(_PLANTED)
    return {RUN_FIRST: str(planted), "ACK_WAIT": "1", "IN_DOUBT": "park", "CLAIM_LEASE": "4"}


async def deaths_until_it_is_a_dead_letter(daemon: Daemon, harness: DaemonHarness) -> int:
    """As a supervisor does: it is started again whenever it has died."""

    def given_up() -> bool:
        return any(line.get("event") == "mail.dead_letter" and line["kind"] == "undecodable" for line in daemon.log)

    await daemon.start()
    await harness.publisher.publish([*map(as_map, UUIDS[:10]), DEADLY, *map(as_map, UUIDS[10:])])
    deaths = 0
    while True:
        await daemon.wait_until(lambda: not daemon.running or given_up())
        if given_up():
            return deaths
        assert await daemon.ended() == -signal.SIGKILL
        deaths += 1
        await daemon.launch()


async def check(harness: DaemonHarness) -> None:
    await harness.emptied()
    letters = await harness.publisher.dead_letters()
    fatal = [letter for letter in letters if letter.kind == "undecodable"]
    assert {letter.payload for letter in fatal} == {DEADLY}  # SQS stores it twice if it takes longer than ACK_WAIT
    assert all("was killed; it was left unread" in letter.reason for letter in fatal)
    parked = {uuid for uuid in UUIDS for letter in letters if letter.payload == as_map(uuid)}
    sent = await harness.sent()
    assert set(sent.values()) == {1}
    assert set(sent) | parked == set(UUIDS)


@over_both_sources
async def test_of_run(harness: DaemonHarness, planted: dict[str, str]) -> None:
    daemon = harness.daemon(**planted)
    try:
        assert await deaths_until_it_is_a_dead_letter(daemon, harness) == 1 + FATAL
        await check(harness)
    finally:
        await daemon.kill()


async def test_of_a_worker_that_keeps_no_file(harness: DaemonHarness, planted: dict[str, str]) -> None:
    [port] = free_ports(1)
    async with Fleet(
        harness.directory / "fleet", harness.variables | planted | {"IN_DOUBT_GRACE": "10"}, port=port, workers=0
    ) as fleet:
        worker = fleet.worker("0")
        try:
            assert await deaths_until_it_is_a_dead_letter(worker, harness) == 1 + FATAL
            await check(harness)
        finally:
            await worker.kill()
