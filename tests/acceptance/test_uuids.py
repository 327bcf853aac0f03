"""A uuid that is used again: for the same recipients, for others, after a failure."""

import msgpack

from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import as_array, as_map
from tests.servers.daemon import Daemon


@over_both_sources
async def test_a_uuid_stands_for_its_recipients_in_both_wire_forms(harness: DaemonHarness) -> None:
    others = as_map("u-1", email="other@example.com")
    others_as_array = msgpack.packb(["u-2", "other@example.com", "s", "b"])
    async with harness.daemon() as daemon:
        await harness.publisher.publish([as_array("u-1"), as_map("u-2")])
        await harness.wait_sent(2)
        await harness.publisher.publish(
            [others, others_as_array, as_map("u-1", body="rendered again"), as_array("u-2")]
        )
        await daemon.wait_for("mail.conflict", 2)
        await harness.emptied()
        await daemon.wait_for("mail.unsent")
    assert await harness.sent() == {"u-1": 1, "u-2": 1}
    letters = await harness.publisher.dead_letters()
    assert sorted((letter.kind, letter.payload) for letter in letters) == sorted(
        ("conflict", payload) for payload in (others, others_as_array)
    )
    assert {line["uuid"] for line in daemon.log if line["event"] == "mail.conflict"} == {"u-1", "u-2"}


async def test_a_uuid_is_known_after_a_restart_and_a_conflict_can_be_sent_under_another(harness: DaemonHarness) -> None:
    async with harness.daemon() as daemon:
        await harness.publisher.publish([as_map("u-1")])
        await harness.wait_sent(1)
        await harness.emptied()
        await daemon.stop()
        await daemon.start()
        await harness.publisher.publish([as_map("u-1", email="other@example.com")])
        await daemon.wait_for("mail.conflict")
        await harness.emptied()
        replay = Daemon(harness.directory / "command", harness.variables, "dlq", "replay", "--all", "--new-uuid")
        await replay.launch()
        assert await replay.ended() == 0, replay.log
        await harness.wait_sent(2)
    answer = await harness.sandbox.get("/messages", to="other@example.com")
    [sent] = answer["messages"]
    assert [sent["to"], sent["tags"]["uuid"] != "u-1"] == [["other@example.com"], True]
    assert await harness.publisher.dead_letters() == []


async def test_a_rejected_mail_is_sent_when_it_is_published_again_put_right(harness: DaemonHarness) -> None:
    wrong, right = as_map("u-1", email="wrong@example.com"), as_map("u-1", email="right@example.com")
    async with harness.daemon() as daemon:
        await harness.fault(match={"uuid": "u-1"}, kind="error", code="MessageRejected", message="no such domain")
        await harness.publisher.publish([wrong])
        await daemon.wait_for("mail.dead_letter")
        await harness.emptied()
        await harness.publisher.publish([wrong])
        await harness.emptied()
        await harness.publisher.publish([right])
        await harness.wait_sent(1)
        await harness.emptied()
    [sent] = (await harness.sandbox.get("/messages"))["messages"]
    assert sent["to"] == ["right@example.com"]
    assert [letter.kind for letter in await harness.publisher.dead_letters()] == ["rejected"]
