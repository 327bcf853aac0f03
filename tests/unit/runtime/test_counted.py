"""Numbers with what they count."""

import pytest

from email_consumer.runtime.counted import counted


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 mails"), (1, "1 mail"), (2, "2 mails"), (1_000_000, "1,000,000 mails")]
)
def test_one_is_singular(count: int, text: str) -> None:
    assert counted(count, "mail") == text
