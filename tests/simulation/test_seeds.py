"""Seeds as `./run.sh simulate` plays them."""

import os
import subprocess
import sys

import pytest

from tests.simulation.scenario import SCENARIOS

_SEED = 7
_SEEDS = {
    "run": 6,
    "roles": 4,
    "suspended": 3,
    "takeover": 4,
    "doubt": 4,
    "clocks": 3,
    "dead letters": 3,
    "holds": 3,
    "holds apart": 2,
}
"""How many of each scenario the suite plays, together within half a minute of one core."""


def _trace(name: str, hash_seed: str) -> str:
    """Of a new interpreter, which orders sets of strings by its own hash seed."""
    command = [sys.executable, "-m", "tests.simulation", "--scenario", name, "--seed", str(_SEED), "--trace"]
    played = subprocess.run(
        command,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "settings" in played.stdout, played.stderr
    return played.stdout


@pytest.mark.parametrize("name", ["run", "roles"])
def test_a_seed_repeats_exactly_in_another_process(name: str) -> None:
    assert _trace(name, "1") == _trace(name, "2")


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_seeds_of_the_short_form_keep_all_promises(name: str) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.simulation",
        "--scenario",
        name,
        "--seeds",
        str(_SEEDS[name]),
        "--jobs",
        "1",
    ]
    played = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert played.returncode == 0, played.stdout + played.stderr
    assert f"{_SEEDS[name]} seeds" in played.stdout
