"""Accepted is accepted: SIGKILL at random moments loses no recipient of the API and doubles none."""

import asyncio
import os
import random
import sqlite3
from contextlib import closing

import aiohttp

from tests.acceptance.api.conftest import Api, many, serving
from tests.acceptance.conftest import DaemonHarness
from tests.factories import new_message

KILLS = int(os.environ.get("SIDECAR_KILLS", "5"))
RECIPIENTS = int(os.environ.get("SIDECAR_RECIPIENTS", "1200"))


async def test_each_accepted_recipient_is_sent_once_or_visibly_in_doubt(harness: DaemonHarness) -> None:
    chance = random.Random(20_241_225)
    # `park`: no event of SES arrives here, so what is in doubt must not be sent again.
    async with serving(harness, IN_DOUBT="park", SES_RATE_PER_SEC=3000, ACK_WAIT=2) as api:
        accepted = await _post_until_accepted(api, chance)
        for _ in range(KILLS):
            counted = (await harness.sandbox.get("/messages/count"))["count"]
            await harness.wait_sent(min(counted + chance.randrange(1, RECIPIENTS // KILLS // 2), RECIPIENTS))
            await api.daemon.kill()
            await api.daemon.start()
        while await _unfinished(harness):
            await harness.emptied()
        sent = await harness.sent()
        letters = await harness.publisher.dead_letters()
    parked = {letter.kind for letter in letters}
    rows = _rows(harness)
    assert set(rows) == set(accepted)
    assert set(sent.values()) == {1}
    assert parked <= {"in-doubt"}
    assert {uuid for uuid, status in rows.items() if status == 2} <= set(sent)
    assert sum(status == 3 for status in rows.values()) == len(letters)
    assert set(rows.values()) <= {2, 3}
    assert len(sent) >= RECIPIENTS - len(letters)


async def _post_until_accepted(api: Api, chance: random.Random) -> list[str]:
    """Killed while it takes the mail in, it has taken all or nothing; the same key makes asking again safe."""
    body = {"messages": [new_message(*many(RECIPIENTS), content="x" * 50_000)]}

    async def post() -> tuple[int, dict[str, list[str]]]:
        return await api.ask("POST", "/v1/messages", body, headers={"Idempotency-Key": "once"})

    for _ in range(3):
        posting = asyncio.create_task(post())
        await asyncio.wait([posting], timeout=chance.uniform(0.0, 0.3))
        await api.daemon.kill()
        answers = await asyncio.gather(posting, return_exceptions=True)
        assert isinstance(answers[0], (tuple, aiohttp.ClientError))
        assert len(_rows(api.harness)) in {0, RECIPIENTS}
        await api.daemon.start()
    status, answer = await post()
    assert status == 200
    return answer["ids"]


async def _unfinished(harness: DaemonHarness) -> bool:
    await asyncio.sleep(0.1)
    return any(status < 2 for status in _rows(harness).values())


def _rows(harness: DaemonHarness) -> dict[str, int]:
    with closing(sqlite3.connect(harness.directory / "daemon" / "data" / "email.db")) as connection, connection:
        return dict(connection.execute("SELECT uuid, status FROM email_requests"))
