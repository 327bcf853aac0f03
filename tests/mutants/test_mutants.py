"""The changes themselves, and that one in effect is noticed."""

import subprocess
import sys
from pathlib import Path

from tests.mutants.changes import mutants
from tests.mutants.explained import EXPLAINED
from tests.mutants.forks import in_forks
from tests.mutants.scope import modules

_MODULE = '''
"""A module."""

LIMIT = 3 * 5


class Counter:
    """What it counts."""

    def add(self, number: int | None) -> bool:
        """Add."""
        if number is None or not number > 0:
            return False
        _log.info("counter.added")
        self.total += number
        return self.total <= LIMIT
'''


def test_each_operator_is_changed_and_each_statement_left_out(tmp_path: Path) -> None:
    path = tmp_path / "counter.py"
    path.write_text(_MODULE)
    assert [(each.line, each.before, each.after) for each in mutants(path)] == [
        (12, "number is None or not number > 0", "number is None and (not number > 0)"),
        (12, "number is None", "number is not None"),
        (12, "not number > 0", "number > 0"),
        (12, "number > 0", "number >= 0"),
        (13, "return False", ""),
        (15, "self.total += number", ""),
        (15, "self.total += number", "self.total -= number"),
        (16, "return self.total <= LIMIT", ""),
        (16, "self.total <= LIMIT", "self.total < LIMIT"),
    ]
    assert {each.function for each in mutants(path)} == {"Counter.add"}


def test_what_crashes_or_hangs_has_no_result() -> None:
    def work(task: str) -> str:
        if task == "hangs":
            while True:
                pass
        return str(int(task))

    found = {task: result for task, result, _ in in_forks(["7", "not a number", "hangs"], work, jobs=2, seconds=1.0)}
    assert found == {"7": "7", "not a number": None, "hangs": None}


def test_a_change_of_the_claim_rule_is_noticed() -> None:
    change = "known.status >= Status.SENT -> known.status > Status.SENT"
    asked = ["--only", "ledgers/rule", "--asked", "tests/unit/ledgers/test_rule.py", "--per-scenario", "0"]
    command = [sys.executable, "-m", "tests.mutants", *asked, "--change", change]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert tried.stdout.splitlines()[-1].split() == ["all", "1", "1", "0", "0", "0", "0"]


def test_each_explanation_is_of_a_change_that_there_is() -> None:
    names = {each.name for path in modules([]) for each in mutants(path)}
    assert not EXPLAINED.keys() - names
