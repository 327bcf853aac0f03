"""SIGTERM: what is in flight is finished, the rest goes back, and the next instance sends nothing twice."""

import signal

from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import as_map
from tests.waiting import patience


@over_both_sources
async def test_drain_under_load_with_500_in_flight(harness: DaemonHarness) -> None:
    hanging = await harness.fault(times=None, kind="delay", seconds=4.0)
    async with harness.daemon(SES_RATE_PER_SEC=250) as daemon:
        await daemon.stop()  # publishing may take longer than sending
        await harness.publisher.publish(as_map(f"mail-{number}") for number in range(1000))
        await daemon.start()
        await harness.struck(hanging, hits=500)
        assert await daemon.stop() == 0
        sent = await harness.sent()
        assert 500 <= len(sent) < 1000
        unsettled = await harness.publisher.unsettled()
        await harness.heal()
        await daemon.start()
        await harness.wait_sent(1000)
        await harness.emptied()
    assert unsettled == 1000 - len(sent)
    assert await harness.sent() == {f"mail-{number}": 1 for number in range(1000)}


@over_both_sources
async def test_an_idle_daemon_ends_without_waiting_for_its_grace(harness: DaemonHarness) -> None:
    async with harness.daemon() as daemon:
        await harness.publisher.publish([as_map("one")])
        await harness.wait_sent(1)
        await harness.emptied()
        async with patience():
            assert await daemon.stop() == 0
        assert not daemon.count("daemon.gave_up_waiting")


@over_both_sources
async def test_a_second_signal_ends_it_at_once_and_loses_nothing(harness: DaemonHarness) -> None:
    hanging = await harness.fault(times=None, kind="hang")
    async with harness.daemon(ACK_WAIT=2) as daemon:
        await harness.publisher.publish(as_map(f"mail-{number}") for number in range(20))
        await harness.struck(hanging, hits=20)
        daemon.signal(signal.SIGTERM)
        await daemon.wait_for("daemon.stopping")
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == 128 + signal.SIGTERM
        await harness.heal()
        await daemon.start()
        await daemon.wait_for("ledger.in_doubt")
        await harness.wait_sent(20)
        await harness.emptied()
    assert await harness.sent() == {f"mail-{number}": 1 for number in range(20)}


@over_both_sources
async def test_what_outlasts_the_grace_is_given_up_and_in_doubt(harness: DaemonHarness) -> None:
    hanging = await harness.fault(times=1, kind="hang")
    async with harness.daemon(SHUTDOWN_GRACE=1, ACK_WAIT=2) as daemon:
        await harness.publisher.publish([as_map("slow")])
        await harness.struck(hanging)
        async with patience():
            assert await daemon.stop() == 0
        assert (await daemon.wait_for("daemon.gave_up_waiting"))["deliveries"] == 1
        await daemon.start()
        await harness.wait_sent(1)
    assert await harness.sent() == {"slow": 1}


async def test_it_ends_in_order_while_nats_is_away(harness: DaemonHarness) -> None:
    async with harness.daemon() as daemon:
        await harness.nats.kill()
        await daemon.wait_for("nats.disconnected")
        assert await daemon.stop() == 0
        assert "Traceback" not in str(daemon.log)
