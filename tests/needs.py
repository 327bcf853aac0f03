"""Programs that tests use and that no Python package carries."""

import os
import shutil

import pytest


def needs(program: str) -> pytest.MarkDecorator:
    """Skips a test on a machine that hasn't the program. In CI it runs, and fails, unless CI_WITHOUT names the program."""
    optional = not os.environ.get("CI") or program in os.environ.get("CI_WITHOUT", "").split()
    missing = not shutil.which(program) and optional
    return pytest.mark.skipif(missing, reason=f"{program} is needed")
