"""Thousands of messages in both wire forms, with duplicates and poison, each to where it belongs."""

import os
import random

import msgpack

from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.publisher import as_array, as_map

_MESSAGES = int(os.environ.get("DELIVERY_MESSAGES", "20000"))
"""20,000 for the full form."""
_POISON = (
    b"",
    b"\xc1 is no MessagePack",
    msgpack.packb({"uuid": "", "email": "you@example.com", "subject": "s", "body": "b"}),
    msgpack.packb(["u", "you@example.com\r\nBcc: all@example.com", "s", "b"]),
    msgpack.packb({"uuid": "u", "email": "you@example.com", "subject": "s"}),
)


async def test_each_good_mail_once_and_each_poison_kept(harness: DaemonHarness) -> None:
    chance = random.Random(7)
    uuids = [f"mail-{number}" for number in range(_MESSAGES * 94 // 100)]
    good = [as_map(uuid) if number % 2 else as_array(uuid) for number, uuid in enumerate(uuids)]
    duplicates = chance.choices(good, k=_MESSAGES // 20)
    poison = [
        chance.choice(_POISON) + bytes([number]) if number % 2 else _POISON[number % 5]
        for number in range(_MESSAGES // 100)
    ]
    everything = good + duplicates + poison
    chance.shuffle(everything)
    async with harness.daemon(SES_RATE_PER_SEC=100_000) as daemon:
        await harness.publisher.publish(everything)
        await harness.wait_sent(len(uuids))
        await harness.emptied()
        assert await daemon.stop() == 0
    assert await harness.sent() == dict.fromkeys(uuids, 1)
    dead = await harness.publisher.dead_letters()
    assert sorted(letter.payload for letter in dead) == sorted(poison)
    assert {letter.kind for letter in dead} == {"undecodable"}
    assert await harness.publisher.unsettled() == 0


@over_both_sources
async def test_every_field_reaches_ses(harness: DaemonHarness) -> None:
    mail = as_map(
        "full",
        email="Ünal <unal@münchen.example>",
        text="plain",
        from_email="Shop <shop@example.com>",
        reply_to=["help@example.com"],
        cc=["cc@example.com"],
        bcc="bcc@example.com",
        headers={"X-Campaign": "summer"},
        tags={"kind": "receipt"},
        configurationSet="main",
        attachments=[{"filename": "a.txt", "content": b"\x00\xff", "content_type": "text/plain"}],
        unknown_key="ignored",
    )
    body = "<p>\r\nünchanged\t\x00 </p>".replace("\x00", "")
    async with harness.daemon():
        await harness.publisher.publish([mail, as_map("bytes", body=body.encode())])
        await harness.wait_sent(2)
    answer = await harness.sandbox.get("/messages", uuid="full")
    [sent] = answer["messages"]
    assert sent["from"] == "Shop <shop@example.com>"
    assert sent["to"] == ["=?utf-8?b?w5xuYWw=?= <unal@xn--mnchen-3ya.example>"]
    assert (sent["cc"], sent["bcc"], sent["reply_to"]) == (
        ["cc@example.com"],
        ["bcc@example.com"],
        ["help@example.com"],
    )
    assert sent["headers"] == {"X-Request-ID": "full", "X-Campaign": "summer"}
    assert sent["tags"] == {"uuid": "full", "instance": "default", "kind": "receipt"}
    assert (sent["text"], sent["configuration_set"]) == ("plain", "main")
    assert [attachment["size"] for attachment in sent["attachments"]] == [2]
    [plain] = (await harness.sandbox.get("/messages", uuid="bytes"))["messages"]
    assert plain["html"] == body
