import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ses.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A sandbox of this test process, as the URL it serves."""
    data = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "ses_sandbox", "--port", "0", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


@pytest.fixture
async def sandbox(sandbox_process: str) -> Sandbox:
    """The sandbox as if it had just started."""
    sandbox = Sandbox(sandbox_process)
    await sandbox.reset()
    return sandbox


@pytest.fixture(autouse=True)
def _aws(aws_environment: Path) -> None:
    """For every test here."""
