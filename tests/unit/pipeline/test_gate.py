"""Which mail a cancellation covers: the stream's order decides, and no clock."""

import pytest

from email_consumer.core.ledger import Origin
from email_consumer.core.mail_queue import Mark
from email_consumer.core.outcome import Stopped, StopReason
from email_consumer.pipeline.gate import Gate, covers
from tests.factories import mail

NOON = 1_800_000_000.0
MARK = Mark("2027-01-15T08:00:00.123456789Z", 280, before=NOON)


def stored(sequence: int, at: float = NOON, stream: str = str(MARK.stream)) -> Origin:
    return Origin("nats", f"messages:{sequence}", sequence, at, stream=stream)


@pytest.mark.parametrize("skew", [-86_400.0, -120.0, 0.0, 120.0, 86_400.0])
def test_the_sequence_decides_whatever_the_clocks_say(skew: float) -> None:
    assert covers(MARK, stored(1, NOON + skew))
    assert covers(MARK, stored(280, NOON + skew))
    assert not covers(MARK, stored(281, NOON + skew))


def test_a_stream_made_again_is_another_one_however_soon() -> None:
    assert not covers(MARK, stored(1, NOON + 0.1, stream="2027-01-15T08:00:01Z"))


def test_where_the_stream_of_a_mail_is_not_known_its_sequence_decides() -> None:
    assert covers(MARK, stored(280, stream=""))
    assert not covers(MARK, stored(281, stream=""))


def test_a_source_without_order_goes_by_its_own_clock() -> None:
    assert covers(MARK, Origin("sqs", "mail:1", 0, NOON - 0.001))
    assert not covers(MARK, Origin("sqs", "mail:2", 0, NOON))


def test_what_the_version_before_noted_goes_on_as_it_did() -> None:
    noted = Mark(None, 280, before=NOON)
    assert covers(noted, stored(280, NOON + 59))
    assert not covers(noted, stored(280, NOON + 61)), "a stream that was made again later"
    assert not covers(noted, stored(281, NOON))


def test_listeners_hear_of_each_change_once() -> None:
    gate, heard = Gate(), []
    gate.on_cancel(lambda: heard.append(1))
    for mark in (MARK, MARK, Mark(MARK.stream, 300, before=NOON + 1)):
        gate.cancel("news", mark)
    assert len(heard) == 2
    message = mail(topic_id="news")
    assert gate.check(message, stored(290)) == Stopped(StopReason.CANCELLED)
    assert gate.check(message, stored(301)) is None


def test_an_address_that_is_released_gets_mail_again() -> None:
    gate, freed, other = Gate(), mail(email="freed@example.com"), mail(email="other@example.com")
    gate.suppress({"freed@example.com": "bounce", "other@example.com": "bounce"})
    gate.release("freed@example.com")
    assert gate.check(freed, stored(1)) is None
    stopped = gate.check(other, stored(1))
    assert stopped
    assert stopped.reason is StopReason.SUPPRESSED
