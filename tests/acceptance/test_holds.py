"""A held topic waits in the store, whatever is killed meanwhile; everything else is sent."""

from tests.acceptance.api.conftest import serving
from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import as_map
from tests.factories import new_message

_MAILS = 40


@over_both_sources
async def test_held_mail_waits_through_a_kill_and_is_sent_once(harness: DaemonHarness) -> None:
    async with serving(harness) as api:
        status, _ = await api.ask("POST", "/v1/holds", {"key": "topic:bad", "reason": "wrong prices"})
        assert status == 200
        await api.post(new_message(*(f"bad{n}@example.com" for n in range(5)), topic_id="bad"))
        held = [as_map(f"bad-{n}", topic_id="bad") for n in range(_MAILS)]
        free = [as_map(f"good-{n}", topic_id="good") for n in range(_MAILS)]
        await harness.publisher.publish(payload for pair in zip(held, free, strict=True) for payload in pair)
        await harness.wait_sent(_MAILS)
        await harness.emptied()
        assert all(uuid.startswith("good-") for uuid in await harness.sent())
        await api.daemon.kill()
        await api.daemon.start()
        _, found = await api.ask("GET", "/v1/holds")
        assert [(hold["key"], hold["mails"]) for hold in found["holds"]] == [("topic:bad", _MAILS + 5)]
        assert (await api.ask("GET", "/ready"))[1]["holds"] == 1
        await api.ask("DELETE", "/v1/holds/topic%3Abad")
        await harness.wait_sent(2 * _MAILS + 5)
        await harness.emptied()
        assert set((await harness.sent()).values()) == {1}


async def test_held_mail_is_cancelled_with_its_topic(harness: DaemonHarness) -> None:
    async with serving(harness) as api:
        await api.ask("POST", "/v1/holds", {"key": "lane:bulk"})
        await harness.publisher.publish(as_map(f"bad-{n}", topic_id="bad") for n in range(_MAILS))
        await harness.emptied()
        status, receipt = await api.ask("DELETE", "/v1/topics/bad")
        assert (status, receipt["cancelled"], receipt["final"]) == (200, _MAILS, True)
        await api.ask("DELETE", "/v1/holds/lane%3Abulk")
        await harness.publisher.publish([as_map("after", topic_id="bad")])
        await harness.wait_sent(1)
        assert await harness.sent() == {"after": 1}


async def test_a_tenant_over_its_daily_limit_waits_through_a_kill_and_nobody_else_does(harness: DaemonHarness) -> None:
    async with serving(harness, TENANT_DAILY="acme:50", TENANT_RATE="*:1000") as api:
        limited = [as_map(f"acme-{n}", tenant="acme") for n in range(70)]
        free = [as_map(f"globex-{n}", tenant="globex") for n in range(_MAILS)]
        await harness.publisher.publish([*limited, *free])
        await harness.wait_sent(50 + _MAILS)
        await harness.emptied()
        await api.daemon.kill()
        await api.daemon.start()
        await harness.publisher.publish([as_map("urgent", tenant="acme", lane="transactional"), as_map("nobody's")])
        await harness.wait_sent(51 + _MAILS)
        await harness.emptied()
        _, found = await api.ask("GET", "/v1/tenants?tenant=acme")
        [tenant] = found["tenants"]
        assert (tenant["rate"], tenant["daily"], tenant["released"], tenant["mails"]) == (1000, 50, 50, 21)
        assert (tenant["sent"], found["report"]["by_day"][-1]["sent"]) == (50, 50)
        assert (await api.ask("GET", "/ready"))[1]["limited_tenants"] == 1
        sent = await harness.sent()
        assert sum(uuid.startswith("acme-") for uuid in sent) == 50
        assert set(sent.values()) == {1}
