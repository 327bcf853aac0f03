"""However workers come, lag, stall, die and leave: together they never exceed the rate, and in calm they use all of it."""

from random import Random

import pytest

from tests.unit.cluster.worlds import World

_EXACT = 1 + 1e-9


@pytest.mark.parametrize("seed", range(150))
def test_the_shares_never_exceed_the_whole_and_recover_it(seed: int) -> None:
    world = World(Random(seed))
    world.start()
    for _ in range(400):
        world.step(calm=False)
        assert world.share_in_use <= _EXACT
    if not world.workers:
        world.start()
    until = world.now + 30  # stalls last 12 s at most; then every ghost is forgotten, then all are known to all
    while world.now < until:
        world.step(calm=True)
        assert world.share_in_use <= _EXACT
    assert world.share_in_use > 0.999


def test_a_crowd_that_starts_at_once_gets_going_within_a_second() -> None:
    world = World(Random(1))
    for _ in range(20):
        world.start()
    while world.now < 1.5:
        world.step(calm=True)
        assert world.share_in_use <= _EXACT
    assert world.share_in_use > 0.999
