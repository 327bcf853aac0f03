"""Programs that tests use and that no Python package carries."""

import os
import shutil

import pytest


def needs(program: str) -> pytest.MarkDecorator:
    """Skips a test on a machine that hasn't the program. In CI it runs, and fails."""
    missing = not shutil.which(program) and not os.environ.get("CI")
    return pytest.mark.skipif(missing, reason=f"{program} is needed")
