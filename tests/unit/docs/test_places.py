"""The README names every place of the dashboard."""

import re
from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
_TEXTS = _REPOSITORY / "email_consumer/dashboard/static/texts.js"


def test_the_table_has_each_place_in_order() -> None:
    [places] = re.findall(r"^  places: \{(.*?)\}", _TEXTS.read_text(), re.MULTILINE | re.DOTALL)
    shown = re.findall(r': "(.*?)"', places)
    table = (
        (_REPOSITORY / "README.md").read_text().partition("| place | answers |\n|---|---|\n")[2].partition("\n\n")[0]
    )
    assert len(shown) > 8
    assert [name for line in table.splitlines() for name in line.split("|")[1].strip().split(", ")] == shown
