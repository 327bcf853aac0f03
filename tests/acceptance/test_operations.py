"""What operators get from the running daemon: metrics that have to be asked for, and erasure."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map

KEY = "0123456789abcdef"


async def _metrics(url: str) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{url}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


async def test_metrics_show_the_queue_the_dead_letters_and_the_quota(harness: DaemonHarness) -> None:
    await harness.sandbox.put("/sandbox/account", {"max_24_hour_send": 1000, "sent_last_24_hours": 400})
    await harness.fault(kind="error", code="MessageRejected", match={"subject": "rejected"})
    async with harness.daemon(API_KEY=KEY) as daemon:
        await harness.publisher.publish([as_map("r", subject="rejected")])
        await harness.emptied()
        await daemon.stop()
    async with harness.daemon(API_KEY=KEY) as daemon:  # whose first look finds what there is
        url = f"http://127.0.0.1:{(await daemon.wait_for('sidecar.listening'))['port']}"
        metrics = await _metrics(url)
        while "email_dead_letters" not in metrics:
            metrics = await _metrics(url)
        assert metrics["email_dead_letters"] == 1
        assert metrics["email_queue_messages"] == 0
        assert metrics["email_queue_oldest_seconds"] == 0
        assert metrics["email_in_doubt"] == 0
        assert (metrics["email_quota_used"], metrics["email_quota_limit"]) == (400, 1000)
        assert metrics["email_events_expected"] == 0


async def test_an_outage_of_ses_is_reported_as_every_hold_is(harness: DaemonHarness) -> None:
    await harness.fault(times=None, kind="error", code="InternalFailure")
    async with harness.daemon(API_KEY=KEY) as daemon, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{(await daemon.wait_for('sidecar.listening'))['port']}"
        await harness.publisher.publish(as_map(f"mail-{number}") for number in range(20))
        await daemon.wait_for("queue.held")
        async with session.get(f"{url}/ready") as answer:
            assert (answer.status, (await answer.json())["down"]) == (503, ["ses"])
        assert "SES fails for every mail (InternalFailure" in (await daemon.wait_for("ready.down"))["error"]
        assert (await _metrics(url))["email_held"] == 1
        await harness.heal()
        await daemon.wait_for("queue.resumed")
        assert (await _metrics(url))["email_held"] == 0
        await harness.wait_sent(20)


async def test_an_address_is_erased_while_the_daemon_runs(harness: DaemonHarness) -> None:
    async with harness.daemon(API_KEY=KEY) as daemon:
        url = f"http://127.0.0.1:{(await daemon.wait_for('sidecar.listening'))['port']}"
        await harness.publisher.publish([as_map("u", email="jane@example.com")])
        await harness.wait_sent(1)
        await harness.emptied()
        async with aiohttp.ClientSession(headers={"X-API-KEY": KEY}) as session:
            async with session.post(f"{url}/v1/erasures", json={"address": "Jane@example.com"}) as answer:
                assert (await answer.json())["mails"] == 1
            async with session.get(f"{url}/v1/messages/u") as answer:
                mail = await answer.json()
            assert (mail["status"], mail["email"].partition("-")[0]) == ("Sent", "erased")
            async with session.post(f"{url}/v1/erasures", json={"address": "jane"}) as answer:
                assert answer.status == 422
