"""docs/message.md says what the model says."""

from tests.unit.message.reference import PATH, render


def test_the_page_is_made_from_the_model() -> None:
    assert PATH.read_text() == render(), "write it again: python -m tests.unit.message.reference"
