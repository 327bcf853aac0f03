"""What an entry of the suppression list stops, in which lane, to recipients and copies alike."""

from typing import Any

import pytest

from email_consumer.core.outcome import LeftOut, Stopped, StopReason
from email_consumer.pipeline.gate import Gate
from email_consumer.suppression.suppression import Reason, Suppression, stop_key, stops
from tests.factories import ORIGIN, mail

JANE = "jane@example.com"
LEFT_NEWS = Suppression(JANE, Reason.UNSUBSCRIBED, "", "recipient", 1.0, group="news")
LEFT_ALL = Suppression(JANE, Reason.UNSUBSCRIBED, "", "recipient", 1.0)
BOUNCED = Suppression(JANE, Reason.HARD_BOUNCE, "", "event", 1.0)

NEWS, OFFERS, BULK = {"unsubscribe_group": "news"}, {"unsubscribe_group": "offers"}, {"lane": "bulk"}
RESET, RECEIPT = {"lane": "transactional"}, {"lane": "transactional", "unsubscribe_group": "news"}
EVERY: tuple[dict[str, str], ...] = (NEWS, OFFERS, BULK, {}, RESET, RECEIPT)

CASES = [
    ([LEFT_NEWS], [NEWS]),
    ([LEFT_ALL], [NEWS, OFFERS, BULK, {}]),
    ([LEFT_NEWS, LEFT_ALL], [NEWS, OFFERS, BULK, {}]),
    ([BOUNCED, LEFT_NEWS, LEFT_ALL], list(EVERY)),
    *(
        ([Suppression(JANE, reason, "", "event", 1.0)], list(EVERY))
        for reason in Reason
        if reason is not Reason.UNSUBSCRIBED
    ),
]


def gate(*entries: Suppression) -> Gate:
    opened = Gate()
    opened.suppress(stops(entries))
    return opened


@pytest.mark.parametrize(("entries", "stopped"), CASES)
def test_it_stops_mail_of_its_scope_alone(entries: list[Suppression], stopped: list[dict[str, str]]) -> None:
    opened = gate(*entries)
    found = [fields for fields in EVERY if opened.check(mail(email="Jane@example.com", **fields), ORIGIN)]
    assert found == stopped
    assert not any(opened.check(mail(email="joe@example.com", **fields), ORIGIN) for fields in EVERY)


@pytest.mark.parametrize(("entries", "stopped"), CASES)
@pytest.mark.parametrize("copy", ["cc", "bcc"])
def test_a_copy_is_left_out_where_a_mail_would_be_stopped(
    entries: list[Suppression], stopped: list[dict[str, str]], copy: str
) -> None:
    opened = gate(*entries)
    for fields in EVERY:
        copied: dict[str, Any] = {copy: [JANE]} | fields
        permitted, left_out = opened.permitted(mail(email="joe@example.com", **copied))
        assert [each.address for each in left_out] == ([JANE] if fields in stopped else [])
        assert permitted.recipients == 2 - len(left_out)


def test_the_reason_names_the_group() -> None:
    opened = gate(LEFT_NEWS)
    assert opened.check(mail(email=JANE, **NEWS), ORIGIN) == Stopped(
        StopReason.SUPPRESSED, f"{JANE}: unsubscribed (news)"
    )
    assert opened.permitted(mail(cc=[JANE], **NEWS))[1] == (LeftOut(JANE, "unsubscribed (news)"),)


def test_a_group_is_no_address() -> None:
    assert stop_key(JANE, "news") not in {
        stop_key(address, None) for address in ("news", "news jane@example.com", JANE)
    }
    opened = gate(LEFT_NEWS)
    opened.release(JANE)
    assert opened.check(mail(email=JANE, **NEWS), ORIGIN), "the other entries of an address stay"
