"""Holds with separate roles: the sidecar owns them, the workers obey them, and mail crosses over durably."""

import pytest

from tests.acceptance.publisher import as_map
from tests.acceptance.roles.conftest import FleetHarness
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

_MAILS = 60


async def test_held_mail_waits_at_the_sidecar_through_kills_and_is_sent_once(harness: FleetHarness) -> None:
    await harness.ask("POST", "/v1/holds", {"key": "topic:held"})
    probes = await workers_obey(harness)
    mails = [as_map(f"held-{n}", topic_id="held") for n in range(_MAILS)]
    await harness.publisher.publish(mails[: _MAILS // 2])
    await harness.fleet.sidecar.kill()
    await harness.publisher.publish(mails[_MAILS // 2 :])
    await harness.publisher.publish(as_map(f"free-{n}", topic_id="free") for n in range(_MAILS))
    await harness.until_sent("free-", _MAILS)
    await harness.fleet.workers[0].kill()
    await harness.fleet.sidecar.start()
    await harness.fleet.workers[0].start()
    await harness.until_counts("held", Created=_MAILS + probes)
    await harness.emptied()
    assert await harness.sent("held-") == {}
    [ended] = (await harness.ask("DELETE", "/v1/holds/topic%3Aheld"))["holds"]
    assert ended["mails"] == _MAILS + probes
    await harness.until_sent("held-", _MAILS)
    await harness.emptied()
    assert set((await harness.sent("held-")).values()) == {1}
    await harness.until_counts("held", Created=0)


async def test_mail_of_a_tenant_that_ses_paused_waits_through_kills_and_flows_once_it_may(
    harness: FleetHarness,
) -> None:
    mails = [as_map(f"paused-{n}", tenant="paused", lane=("bulk", "transactional")[n % 2]) for n in range(_MAILS)]

    async def held() -> bool:
        return "tenant:paused" in {hold["key"] for hold in (await harness.ask("GET", "/v1/holds"))["holds"]}

    async def waiting() -> bool:
        return harness.rows("SELECT count(*) FROM email_requests WHERE uuid LIKE 'paused-%' AND status = 0") == [
            (_MAILS,)
        ]

    await harness.sandbox.put("/sandbox/tenants", {"tenants": {"paused": {"sending_status": "DISABLED"}}})
    try:
        await harness.publisher.publish(mails[: _MAILS // 2])
        await until(held)
        await harness.fleet.sidecar.kill()
        await harness.publisher.publish(mails[_MAILS // 2 :])
        await harness.publisher.publish(as_map(f"others-{n}") for n in range(_MAILS))
        await harness.until_sent("others-", _MAILS)
        await harness.emptied()  # nothing is in doubt after the kill
        await harness.fleet.workers[0].kill()
        await harness.fleet.sidecar.start()
        await harness.fleet.workers[0].start()
        await until(waiting)
        assert await harness.sent("paused-") == {}
    finally:
        await harness.sandbox.put("/sandbox/tenants", {"tenants": None})
    if await held():
        await harness.ask("DELETE", "/v1/holds/tenant%3Apaused")
    await harness.until_sent("paused-", _MAILS)
    await harness.emptied()
    assert set((await harness.sent("paused-")).values()) == {1}


async def workers_obey(harness: FleetHarness) -> int:
    """Until both workers know the hold: each of several mails in a row is held. How many are."""
    number, held = 0, 0
    while held < 4:
        before = (await harness.counts("held"))["Created"]
        await harness.publisher.publish(as_map(f"probe-{number + each}", topic_id="held") for each in range(4))
        number += 4

        async def shown(number: int = number) -> bool:
            return sum((await harness.counts("held")).values()) == number

        await until(shown)
        await harness.emptied()
        held = (await harness.counts("held"))["Created"] - before
    return (await harness.counts("held"))["Created"]
