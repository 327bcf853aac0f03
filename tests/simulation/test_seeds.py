"""Seeds as `./run.sh simulate` plays them."""

import os
import subprocess
import sys

import pytest

from tests.simulation.scenario import SCENARIOS

_SEED = 7


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


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_seed_repeats_exactly_in_another_process(name: str) -> None:
    assert _trace(name, "1") == _trace(name, "2")
