import asyncio
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import uvloop

from email_consumer.ses import session
from email_consumer.ses.aiohttp_transport import AiohttpTransport
from tests.integration.ses.sandbox import Sandbox, sandbox_process
from tests.servers.certificates import TestAuthority


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """That of the program's processes."""
    return {"uvloop": uvloop.new_event_loop}


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


@pytest.fixture
def server_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """That of a server which the client trusts."""
    authority = TestAuthority(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.ca))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.issue("ses"))
    return tls
