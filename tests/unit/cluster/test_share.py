"""However workers come, lag, stall, die and leave: together they never exceed the rate, and in calm they use all of it."""

from random import Random

import pytest

from tests.unit.cluster.harness import ClusterHarness

_EXACT = 1 + 1e-9


@pytest.mark.parametrize("seed", range(150))
def test_the_shares_never_exceed_the_whole_and_recover_it(seed: int) -> None:
    harness = ClusterHarness(Random(seed))
    harness.start()
    for _ in range(400):
        harness.step(calm=False)
        assert harness.share_in_use <= _EXACT
    if not harness.workers:
        harness.start()
    until = harness.now + 30  # stalls last 12 s at most; then every ghost is forgotten, then all are known to all
    while harness.now < until:
        harness.step(calm=True)
        assert harness.share_in_use <= _EXACT
    assert harness.share_in_use > 0.999


def test_a_crowd_that_starts_at_once_gets_going_within_a_second() -> None:
    harness = ClusterHarness(Random(1))
    for _ in range(20):
        harness.start()
    while harness.now < 1.5:
        harness.step(calm=True)
        assert harness.share_in_use <= _EXACT
    assert harness.share_in_use > 0.999
