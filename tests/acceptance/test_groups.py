"""Who left a group, everything, or is blocked, gets what they should: through NATS, SQS and HTTP, as recipient and as copy."""

from datetime import UTC, datetime, timedelta

from tests.acceptance.api.conftest import Api, serving
from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.groups import (
    ARRIVING,
    BLOCKED,
    LEFT_ALL,
    LEFT_NEWS,
    MAILINGS,
    copied,
    copied_to,
    expected,
    mailings,
)
from tests.acceptance.links import WORKS, links_of, unsubscribed
from tests.acceptance.publisher import as_map
from tests.factories import new_message
from tests.waiting import until


async def leave(api: Api) -> None:
    """By the links of two mails: of a group and of none."""
    for name, address, fields in (("news", LEFT_NEWS, MAILINGS["news"]), ("any", LEFT_ALL, {})):
        linked = {"list_unsubscribe": True, "track_opens": True}
        await api.harness.publisher.publish([as_map(name, email=address, **linked, **fields)])
        links = await links_of(api.harness.sandbox, name)
        assert await unsubscribed(f"http://127.0.0.1:{api.port}", links) == WORKS
    assert (await api.ask("POST", "/v1/suppressions", {"address": BLOCKED}))[0] == WORKS


@over_both_sources
async def test_each_gets_what_it_did_not_leave(harness: DaemonHarness) -> None:
    async with serving(harness) as api:
        soon = (datetime.now(UTC) + timedelta(seconds=8)).isoformat()
        later = [as_map(f"later-{name}", email=LEFT_NEWS, scheduled_at=soon, **MAILINGS[name]) for name in MAILINGS]
        await harness.publisher.publish(later)  # before anybody leaves
        await leave(api)
        await harness.publisher.publish([*mailings("queued"), *copied("copied")])
        answers = {
            mailing: await api.post(new_message(*ARRIVING, **fields), **whole)
            for mailing, fields in MAILINGS.items()
            for fields, whole in [({}, fields) if mailing in {"news", "reset"} else (fields, {})]
        }

        async def all_due() -> bool:
            shown = [(await api.ask("GET", f"/v1/messages/later-{name}"))[1] for name in MAILINGS]
            return all(each.get("status") in {"Sent", "Stopped"} for each in shown)

        await until(all_due)
        await harness.emptied()
        sent = await harness.sent()
        assert {name: times for name, times in sent.items() if name.startswith("queued-")} == expected("queued")
        assert {name for name in MAILINGS if f"later-{name}" in sent} == ARRIVING[LEFT_NEWS]
        for mailing, answer in answers.items():
            arrived = {address for address, uuid in zip(ARRIVING, answer["ids"], strict=True) if uuid in sent}
            assert arrived == copied_to(mailing) - {"joe@example.com"}, mailing
        for mailing in MAILINGS:
            [mail] = (await harness.sandbox.get("/messages", uuid=f"copied-{mailing}"))["messages"]
            assert {*mail["to"], *mail["cc"], *mail["bcc"]} == copied_to(mailing), mailing
        _, stopped = await api.ask("GET", "/v1/messages/queued-left-news-news")
        assert stopped["error"] == "suppressed: left-news@example.com: unsubscribed (news)"
