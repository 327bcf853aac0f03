"""Who gets mail in safe mode, and what is left of a mail for others."""

import pytest

from email_consumer.core.outcome import (
    Failed,
    InDoubt,
    LeftOut,
    Rejected,
    SendResult,
    Sent,
    Stopped,
    StopReason,
    Throttled,
)
from email_consumer.core.safe_mode import HEADER, STOPPED, SafeMode
from email_consumer.message.model import EmailMessage
from email_consumer.pipeline.gate import Gate
from email_consumer.pipeline.safe_sender import SafeSender
from tests.factories import ORIGIN, mail

ALLOWLIST = ("Anna@Example.com", "bücher.example", "@staff.example")
QA = "QA <qa@example.net>"


def safe_mode(*, redirect: bool = False) -> SafeMode:
    made = SafeMode.of(ALLOWLIST, QA if redirect else None)
    assert made
    return made


class Ses:
    def __init__(self, answer: SendResult) -> None:
        self.sent: list[EmailMessage] = []
        self._answer = answer

    async def send(self, message: EmailMessage, _deadline: float) -> SendResult:
        self.sent.append(message)
        return self._answer


@pytest.mark.parametrize(
    "address",
    [
        "anna@example.com",
        "Anna B. <ANNA@EXAMPLE.COM>",
        "anybody@staff.example",
        "anybody@xn--bcher-kva.example",
        "anybody@BÜCHER.example",
        "bounce@simulator.amazonses.com",
    ],
)
def test_listed_addresses_and_domains_get_mail_however_they_are_written(address: str) -> None:
    assert safe_mode().allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "bob@example.com",
        "anna@example.com.evil.example",
        "anna@sub.staff.example",
        "xanna@example.com",
        "staff.example@example.org",
        '"anna@example.com"@example.org',
        "anna@example.com <bob@example.com>",
        "a@notstaff.example",
    ],
)
def test_nobody_else_does(address: str) -> None:
    assert not safe_mode().allows(address)


@pytest.mark.parametrize("entry", ["", "@", "*", "*.example.com", "a b", "https://example.com", "anna@", "a@b@c"])
def test_what_is_neither_address_nor_domain_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        SafeMode.of([entry], None)


def test_without_either_setting_it_is_off() -> None:
    assert SafeMode.of((), None) is None


def test_the_gate_stops_mail_that_nobody_may_get() -> None:
    stopped = Stopped(StopReason.SAFE_MODE, f"bob@example.com: {STOPPED}")
    assert Gate(safe_mode()).check(mail(email="Bob <bob@example.com>"), ORIGIN) == stopped
    assert Gate(safe_mode()).check(mail(email="anna@example.com"), ORIGIN) is None
    assert Gate(safe_mode(redirect=True)).check(mail(email="bob@example.com"), ORIGIN) is None


@pytest.mark.parametrize("answer", [Sent("ses-1"), InDoubt("no answer")])
async def test_copies_to_others_are_left_out_and_recorded(answer: Sent | InDoubt) -> None:
    ses = Ses(answer)
    message = mail(email="anna@example.com", cc=["bob@example.com", "c@staff.example"], bcc=["Dora <dora@example.com>"])
    result = await SafeSender(ses, safe_mode()).send(message, 0.0)
    [sent] = ses.sent
    assert (sent.email, sent.cc, sent.bcc) == ("anna@example.com", ("c@staff.example",), ())
    assert isinstance(result, (Sent, InDoubt))
    assert result.left_out == (LeftOut("bob@example.com", STOPPED), LeftOut("dora@example.com", STOPPED))


@pytest.mark.parametrize("answer", [Failed("503"), Throttled("slow down")])
async def test_what_was_not_sent_left_nobody_out(answer: Failed | Throttled) -> None:
    message = mail(email="anna@example.com", cc=["bob@example.com"])
    for redirect in (False, True):
        assert await SafeSender(Ses(answer), safe_mode(redirect=redirect)).send(message, 0.0) == answer


async def test_nothing_leaves_if_the_gate_was_passed_by_mistake() -> None:
    ses = Ses(Sent("ses-1"))
    result = await SafeSender(ses, safe_mode()).send(mail(email="bob@example.com", cc=["anna@example.com"]), 0.0)
    assert (result, ses.sent) == (Rejected(STOPPED), [])


@pytest.mark.parametrize(
    ("email", "cc", "bcc", "expected"),
    [
        ("bob@example.com", [], [], (QA, (), ())),
        (
            "bob@example.com",
            ["anna@example.com", "cyd@example.com"],
            ["e@example.com"],
            (QA, ("anna@example.com",), ()),
        ),
        ("bob@example.com", ["qa@EXAMPLE.net"], [], (QA, (), ())),
        (
            "anna@example.com",
            ["cyd@example.com"],
            ["a@staff.example"],
            ("anna@example.com", (QA,), ("a@staff.example",)),
        ),
        ("anna@example.com", ["cyd@example.com"], ["qa@example.net"], ("anna@example.com", (QA,), ())),
        ("qa@example.net", ["cyd@example.com"], [], ("qa@example.net", (), ())),
    ],
)
async def test_redirected_mail_goes_to_the_one_address_once(
    email: str, cc: list[str], bcc: list[str], expected: tuple[str, tuple[str, ...], tuple[str, ...]]
) -> None:
    ses = Ses(Sent("ses-1"))
    result = await SafeSender(ses, safe_mode(redirect=True)).send(mail(email=email, cc=cc, bcc=bcc), 0.0)
    [sent] = ses.sent
    assert (sent.email, sent.cc, sent.bcc) == expected
    assert sent.headers[HEADER].startswith(f"to {email}")
    assert all(each in sent.headers[HEADER].lower() for each in (*cc, *bcc) if each.islower())
    assert result == Sent("ses-1", redirected_to=QA)


async def test_mail_for_allowed_addresses_is_sent_untouched() -> None:
    ses, message = Ses(Sent("ses-1")), mail(email="anna@example.com", cc=["c@staff.example"])
    assert await SafeSender(ses, safe_mode(redirect=True)).send(message, 0.0) == Sent("ses-1")
    assert ses.sent == [message]
    assert ses.sent[0] is message


@pytest.mark.parametrize("list_unsubscribe", [None, "https://example.com/u"])
def test_the_header_fits_whatever_the_mail_brings(list_unsubscribe: str | None) -> None:
    count = 12 if list_unsubscribe else 14
    headers = {f"X-{number}": "v" for number in range(count)}
    copies = [f"{'x' * 40}{number}@example.com" for number in range(49)]
    message = mail(email="bob@example.com", bcc=copies, headers=headers, list_unsubscribe=list_unsubscribe)
    confined = safe_mode(redirect=True).confined(message)
    assert len(confined.headers) == count
    assert confined.headers[HEADER].endswith(" more")
    assert len(confined.headers[HEADER]) < 950


def test_a_header_of_that_name_is_replaced() -> None:
    message = mail(email="bob@example.com", headers={HEADER.lower(): "nobody"})
    assert safe_mode(redirect=True).confined(message).headers == {HEADER: "to bob@example.com"}
