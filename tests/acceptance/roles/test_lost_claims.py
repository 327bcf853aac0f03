"""Somebody deletes the bucket of claims while mail is sent: no uuid goes out twice, and all arrive."""

import asyncio

import pytest

from tests.acceptance.publisher import as_map
from tests.acceptance.roles.conftest import FleetHarness

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUCKET = "KV_messages-claims"


async def test_while_mail_is_sent(harness: FleetHarness) -> None:
    uuids = [f"amid-{number}" for number in range(400)]
    mails = [as_map(uuid, topic_id="amid") for uuid in uuids]
    await harness.publisher.publish(mails)
    await harness.until_sent("amid-", 100)
    await harness.lose(BUCKET)
    await harness.fleet.sidecar.wait_for("claims.lost")
    await harness.publisher.publish(mails[:50])  # which were sent
    assert (await harness.fleet.sidecar.wait_for("claims.filled", 2))["again"]
    await harness.publisher.publish(mails)
    await harness.until_sent("amid-", 400)
    await harness.emptied()
    assert await harness.sent("amid-") == dict.fromkeys(uuids, 1)
    await harness.until_counts("amid", Sent=400, Created=0, Processed=0, Failed=0)


async def test_while_the_sidecar_is_down(harness: FleetHarness) -> None:
    uuids = [f"down-{number}" for number in range(200)]
    mails = [as_map(uuid, topic_id="down") for uuid in uuids]
    await harness.publisher.publish(mails[:100])
    await harness.until_sent("down-", 100)
    await harness.emptied()
    await harness.fleet.sidecar.kill()
    lost = [worker.count("claims.lost") + 1 for worker in harness.fleet.workers]
    await harness.lose(BUCKET)
    await asyncio.gather(
        *(worker.wait_for("claims.lost", times) for worker, times in zip(harness.fleet.workers, lost, strict=True))
    )
    await harness.publisher.publish(mails)  # of which half is sent
    port = harness.fleet.workers[0].said("sidecar.listening")["port"]
    async with harness.session.get(f"http://127.0.0.1:{port}/ready") as answer:
        assert answer.status == 503
        reasons = (await answer.json())["reasons"]
    assert reasons["claims"] == "the claims bucket was lost; waiting for the sidecar to refill it"
    newcomer = harness.another("worker", LEDGER="jetstream")
    await newcomer.launch()
    await newcomer.wait_for("claims.waiting")
    assert len(await harness.sent("down-")) == 100
    await harness.fleet.sidecar.start()
    await harness.until_sent("down-", 200)
    await harness.emptied()
    assert await harness.sent("down-") == dict.fromkeys(uuids, 1)
    await newcomer.wait_for("daemon.started")
    assert await newcomer.stop() == 0


async def test_a_lost_stream_of_outcomes_is_made_again(harness: FleetHarness) -> None:
    made = [each.count("ledger.stream_lost") for each in (harness.fleet.sidecar, *harness.fleet.workers)]
    await harness.lose("messages-outcomes")
    await harness.publisher.publish([as_map(f"outcome-{number}", topic_id="outcome") for number in range(50)])
    await harness.until_counts("outcome", Sent=50)
    await harness.emptied()
    assert await harness.sent("outcome-") == {f"outcome-{number}": 1 for number in range(50)}
    now = [each.count("ledger.stream_lost") for each in (harness.fleet.sidecar, *harness.fleet.workers)]
    assert sum(now) == sum(made) + 1
