"""A full place for dead letters: what can't be sent waits where it came from, and all the rest goes out."""

import asyncio
import sqlite3
from contextlib import closing

import aiohttp
import nats
import pytest

from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map

_SLOTS = 16
_POISONED = 3 * _SLOTS
_GOOD = 40
_STREAM = "messages-dead"


def _dead_letter_pending(harness: DaemonHarness) -> int:
    with closing(sqlite3.connect(harness.directory / "daemon" / "data" / "email.db")) as database:
        query = "SELECT count(*) FROM email_requests WHERE status = 0 AND error LIKE 'no place for its dead letter%'"
        return int(database.execute(query).fetchone()[0])


@pytest.mark.parametrize("limit", ["max_msgs", "max_bytes"])
async def test_good_mail_goes_on_and_all_dead_letters_are_there_in_the_end(harness: DaemonHarness, limit: str) -> None:
    client = await nats.connect(harness.nats.url)
    jetstream = client.jetstream()
    fault = await harness.fault(times=None, match={"uuid": "bad-*"}, kind="error", code="MessageRejected")
    async with harness.daemon(CONCURRENCY_LIMIT=_SLOTS, ACK_WAIT=5) as daemon, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{(await daemon.wait_for('sidecar.listening'))['port']}"
        await harness.publisher.publish([b"\x00 first"])
        await harness.emptied()
        free = (await jetstream.stream_info(_STREAM)).config
        await jetstream.update_stream(free.evolve(**{limit: 1}))
        await harness.publisher.publish(as_map(f"bad-{number}") for number in range(_POISONED))
        await harness.publisher.publish(b"\x00 %d" % number for number in range(_POISONED))
        await harness.publisher.publish(as_map(f"good-{number}") for number in range(_GOOD))
        await harness.wait_sent(_GOOD)
        await harness.struck(fault, _POISONED)
        async with session.get(f"{url}/ready") as answer:
            state = await answer.json()
        assert (answer.status, state["reasons"]) == (503, {"dead_letters": "dead letters can't be stored"})
        assert "exceeded" in (await daemon.wait_for("ready.down"))["error"]
        assert daemon.count("dead_letter.not_stored") < 5
        while await harness.publisher.unsettled() != 2 * _POISONED or _dead_letter_pending(harness) != _POISONED:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)  # until what was sent, and what wasn't, is recorded: else it is in doubt
        await daemon.kill()  # what becomes of them then, only the ledger knows
        await daemon.start()
        await jetstream.update_stream(free)
        await harness.emptied()
        url = f"http://127.0.0.1:{daemon.said('sidecar.listening')['port']}"
        async with session.get(f"{url}/ready") as answer:
            assert answer.status == 200
    letters = await harness.publisher.dead_letters()
    wanted = {as_map(f"bad-{number}") for number in range(_POISONED)} | {b"\x00 %d" % n for n in range(_POISONED)}
    stored = [letter.payload for letter in letters if letter.payload != b"\x00 first"]
    assert (len(stored), set(stored)) == (2 * _POISONED, wanted)
    assert {letter.attempts for letter in letters if letter.kind == "rejected"} == {1}
    assert await harness.sent() == {f"good-{number}": 1 for number in range(_GOOD)}
    # None was tried again: each was rejected once.
    assert (await harness.sandbox.get("/sandbox/faults"))["faults"][0]["hits"] == _POISONED
    await client.close()
