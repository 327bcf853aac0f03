import pytest

from email_consumer.core.mail_queue import Unconsumed
from email_consumer.sources.jetstream.unconsumed import covers


@pytest.mark.parametrize(
    ("filter_", "subject", "taken"),
    [
        ("messages.email", "messages.email", True),
        ("messages.email", "messages.other", False),
        ("messages.email", "messages.email.more", False),
        ("messages.*", "messages.other", True),
        ("messages.*", "messages", False),
        ("messages.*", "messages.a.b", False),
        ("messages.>", "messages.a.b", True),
        ("messages.>", "messages", False),
        ("*.a.>", "messages.a.b.c", True),
        ("*.a.>", "messages.b.b.c", False),
        (">", "messages", True),
        (">", "messages.a.b", True),
    ],
)
def test_filters_are_matched_as_nats_does(filter_: str, subject: str, *, taken: bool) -> None:
    assert covers(filter_, subject) is taken


def test_it_reads_well() -> None:
    assert str(Unconsumed((("messages.other", 1234), ("messages.x", 1)), 5)) == (
        "messages.other (1,234), messages.x (1), others (5)"
    )
    assert not Unconsumed()
