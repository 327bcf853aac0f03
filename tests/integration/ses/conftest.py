from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from email_consumer.ses import session
from email_consumer.ses.aiohttp_transport import AiohttpTransport
from tests.integration.ses.sandbox import Sandbox, sandbox_process


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of this test process."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox")) as url:
        yield url


@pytest.fixture
async def sandbox(sandbox_url: str) -> Sandbox:
    """The sandbox as if it had just started."""
    sandbox = Sandbox(sandbox_url)
    await sandbox.reset()
    return sandbox


@pytest.fixture(autouse=True)
def _aws(aws_environment: Path) -> None:
    """For every test here."""


@pytest.fixture(params=["direct", "aiohttp"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """For tests of both: the name of the one that clients send over."""
    if request.param == "aiohttp":
        monkeypatch.setattr(session, "DirectTransport", partial(AiohttpTransport, proxy=None))
    return str(request.param)
