"""What `/ready` says of the parts, and what of it is for everybody."""

import asyncio

import pytest

from email_consumer.readiness import STUCK, Check, in_public, reasons


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
    monkeypatch.setattr("email_consumer.readiness._PATIENCE", 0.01)
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
def test_everybody_is_told_our_own_words_alone(text: str, public: str) -> None:
    assert in_public(text) == public
