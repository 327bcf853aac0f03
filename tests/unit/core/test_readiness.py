"""What `/ready` says of the parts, and what of it is for everybody."""

import asyncio

import pytest

from email_consumer.core.readiness import STUCK, Check, SharedCheck, in_public, reasons


async def well() -> None: ...


def down(text: str) -> Check:
    async def check() -> None:
        raise ConnectionError(text)

    return check


async def test_each_part_that_is_down_says_why() -> None:
    assert await reasons({"nats": well, "ses": down("no credentials")}) == {"ses": "no credentials"}


async def test_that_mail_is_stuck_is_said_only_where_no_reason_is_known() -> None:
    assert await reasons({"nats": well, STUCK: down("none moves")}) == {STUCK: "none moves"}
    assert await reasons({"nats": down("gone"), STUCK: down("none moves")}) == {"nats": "gone"}


async def test_a_part_that_never_answers_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_consumer.core.readiness._PATIENCE", 0.01)
    never = asyncio.Event()

    async def hangs() -> None:
        await never.wait()

    assert await reasons({"ledger": hangs}) == {"ledger": "no answer"}


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("no connection to SES: ClientConnectorError: host internal.example", "no connection to SES"),
        (
            "SES has not verified our sender FROM_EMAIL (MessageRejected: anna@example.com)",
            "SES has not verified our sender FROM_EMAIL",
        ),
        ("not connected", "not connected"),
    ],
)
def test_everybody_sees_our_own_words_alone(text: str, public: str) -> None:
    assert in_public(text) == public


class Look:
    """Takes as long as it is let."""

    def __init__(self) -> None:
        self.taken = 0
        self.began, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> dict[str, str]:
        self.taken += 1
        self.began.set()
        await self.may_end.wait()
        return {"nats": f"look {self.taken}"}


async def test_all_who_ask_at_the_same_time_share_one_look() -> None:
    look = Look()
    shared = SharedCheck(look, fresh=0)
    asking = [asyncio.create_task(shared.result()) for _ in range(1_000)]
    await look.began.wait()
    asking[0].cancel()  # hung up, which is no reason for the others to get nothing
    look.may_end.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert answers[1:] == [{"nats": "look 1"}] * 999
    assert await shared.result() == {"nats": "look 2"}


async def test_what_was_seen_holds_for_a_moment() -> None:
    look = Look()
    look.may_end.set()
    shared = SharedCheck(look, fresh=3_600)
    for _ in range(100):
        assert await shared.result() == {"nats": "look 1"}
