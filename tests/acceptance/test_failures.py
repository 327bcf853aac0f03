"""What SES may answer, or not answer: nothing is lost, attempts and dead letters as specified."""

from typing import Any

from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import as_map

_UUIDS = [f"mail-{number}" for number in range(300)]
_ONCE = dict.fromkeys(_UUIDS, 1)
_UNKNOWN: dict[str, Any] = {"kind": "error", "code": "BrandNewException"}
"""Tried again as long as there are attempts."""


def _among_others(digit: int) -> dict[str, Any]:
    """Thirty mails, each once. With others in between that SES takes, they are no outage."""
    return {"times": 30, "match": {"uuid": f"mail-*{digit}"}}


async def publish_all(harness: DaemonHarness) -> None:
    await harness.publisher.publish(as_map(uuid) for uuid in _UUIDS)


@over_both_sources
async def test_a_throttling_storm_costs_no_attempt_and_no_mail(harness: DaemonHarness) -> None:
    await harness.fault(times=900, kind="error", code="TooManyRequestsException")
    async with harness.daemon(MAX_ATTEMPTS=1, SES_RATE_PER_SEC=1000):
        await publish_all(harness)
        await harness.wait_sent(300)
        await harness.emptied()
    assert await harness.sent() == _ONCE
    assert await harness.publisher.dead_letters() == []


@over_both_sources
async def test_failing_twice_then_sent(harness: DaemonHarness) -> None:
    await harness.fault(times=600, **_UNKNOWN)
    async with harness.daemon():
        await publish_all(harness)
        await harness.wait_sent(300)
        await harness.emptied()
    assert await harness.sent() == _ONCE


@over_both_sources
async def test_attempts_are_used_up_then_a_dead_letter(harness: DaemonHarness) -> None:
    fault = await harness.fault(times=None, match={"uuid": "bad"}, kind="error", code="InternalFailure")
    async with harness.daemon(MAX_ATTEMPTS=3):
        await harness.publisher.publish([as_map("bad"), as_map("good")])
        await harness.wait_sent(1)
        await harness.emptied()
    assert await harness.sent() == {"good": 1}
    [letter] = await harness.publisher.dead_letters()
    assert letter.payload == as_map("bad")
    assert letter.kind == "exhausted"
    assert letter.attempts == 3
    assert (await harness.sandbox.get("/sandbox/faults"))["faults"][0]["id"] == fault
    assert (await harness.sandbox.get("/sandbox/faults"))["faults"][0]["hits"] == 3


@over_both_sources
async def test_a_permanent_rejection_is_a_dead_letter_at_once(harness: DaemonHarness) -> None:
    await harness.fault(times=None, match={"uuid": "bad"}, kind="error", code="MessageRejected", message="Virus inside")
    async with harness.daemon():
        await harness.publisher.publish([as_map("bad"), as_map("good")])
        await harness.wait_sent(1)
        await harness.emptied()
    [letter] = await harness.publisher.dead_letters()
    assert letter.kind == "rejected"
    assert "Virus inside" in letter.reason
    assert letter.attempts == 1


@over_both_sources
async def test_a_connection_cut_before_accepting_is_in_doubt_then_resent(harness: DaemonHarness) -> None:
    await harness.fault(**_among_others(5), kind="cut_before")
    async with harness.daemon():
        await publish_all(harness)
        await harness.wait_sent(300)
        await harness.emptied()
    assert await harness.sent() == _ONCE


@over_both_sources
async def test_without_events_park_never_sends_twice(harness: DaemonHarness) -> None:
    await harness.fault(**_among_others(1), kind="cut_after")
    await harness.fault(**_among_others(3), kind="hang_after")
    await harness.fault(**_among_others(5), kind="status_after", status=503)
    await harness.fault(**_among_others(7), kind="trickle", seconds=0.5)
    await harness.fault(**_among_others(9), kind="encode", encoding="gzip")
    # All others have to be answered in this time, also where the machine is busy.
    async with harness.daemon(IN_DOUBT="park", SES_TIMEOUT=8, SES_RATE_PER_SEC=100):
        await publish_all(harness)
        await harness.emptied()
    assert await harness.sent() == _ONCE
    assert len(await harness.publisher.dead_letters()) == 120


@over_both_sources
async def test_expired_credentials_hold_the_queue_and_burn_nothing(harness: DaemonHarness) -> None:
    await harness.sandbox.put("/sandbox/credentials", {"expired": True})
    async with harness.daemon(MAX_ATTEMPTS=1) as daemon:
        await publish_all(harness)
        held = await daemon.wait_for("queue.held")
        assert "xpired" in held["reason"]
        await harness.sandbox.put("/sandbox/credentials", {"expired": False})
        await daemon.wait_for("queue.resumed")
        await harness.wait_sent(300)
        await harness.emptied()
    assert await harness.sent() == _ONCE
    assert await harness.publisher.dead_letters() == []


@over_both_sources
async def test_an_outage_of_ses_holds_the_queue_and_burns_nothing(harness: DaemonHarness) -> None:
    await harness.fault(times=None, kind="error", code="InternalFailure")
    async with harness.daemon(MAX_ATTEMPTS=2) as daemon:
        await publish_all(harness)
        held = await daemon.wait_for("queue.held")
        assert "InternalFailure" in held["reason"]
        await harness.heal()
        await daemon.wait_for("queue.resumed")
        await harness.wait_sent(300)
        await harness.emptied()
    assert await harness.sent() == _ONCE
    assert await harness.publisher.dead_letters() == []


@over_both_sources
async def test_a_paused_account_holds_the_queue_until_it_is_resumed(harness: DaemonHarness) -> None:
    await harness.sandbox.put("/sandbox/account", {"sending_enabled": False})
    async with harness.daemon(MAX_ATTEMPTS=1) as daemon:
        await publish_all(harness)
        await daemon.wait_for("queue.held")
        await harness.sandbox.put("/sandbox/account", {"sending_enabled": True})
        await harness.wait_sent(300)
        await harness.emptied()
    assert await harness.sent() == _ONCE
    assert await harness.publisher.dead_letters() == []


async def test_the_nats_servers_death_under_load_loses_and_doubles_nothing(harness: DaemonHarness) -> None:
    await harness.fault(times=None, kind="delay", seconds=0.05)
    async with harness.daemon(SES_RATE_PER_SEC=500, ACK_WAIT=3):
        await harness.publisher.publish(as_map(f"mail-{number}") for number in range(1500))
        for so_far in (150, 500, 900):
            await harness.wait_sent(so_far)
            await harness.nats.kill()
            await harness.nats.restart()
        await harness.wait_sent(1500)
        await harness.emptied()
    sent = await harness.sent()
    assert len(sent) == 1500
    assert set(sent.values()) == {1}
