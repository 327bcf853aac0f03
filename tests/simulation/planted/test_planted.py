"""Some planted faults are found; `./run.sh simulate --planted all` looks for each of them."""

import pytest

from tests.simulation.planted.search import search

_SEEDS = range(40)
_SHORT = (
    "ack before the commit",
    "duplicate window ignored",
    "bulk mail before transactional mail",
    "floor of bulk mail ignored",
    "lane not kept in the tables",
    "last attempt without dead letter",
    "suppression checked by raw spelling",
    "window cap dropped",
)
"""Those that every second seed finds, or more."""


@pytest.mark.parametrize("name", _SHORT)
def test_a_planted_fault_is_found(name: str) -> None:
    [found] = search(_SEEDS, names=(name,), jobs=1)
    assert found.outcome, f"the simulation has grown blind: {found}"
