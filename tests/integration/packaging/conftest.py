from pathlib import Path

import pytest

from tests.integration.packaging.lock import ROOT
from tests.integration.packaging.wheels import build


@pytest.fixture(scope="session")
def own_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheels of email-consumer and of each package."""
    directory = tmp_path_factory.mktemp("wheels")
    build(ROOT, directory)
    for project in (ROOT / "packages").glob("*/pyproject.toml"):
        build(project.parent, directory)
    return directory
