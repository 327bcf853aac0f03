"""`email-consumer erase` as a process: directly, and by the process that has the database open."""

import json
import os
from pathlib import Path

from email_consumer.api.erasure_routes import ErasureRoutes
from email_consumer.core.metrics import Metrics
from email_consumer.core.unsent import Unsent
from email_consumer.store.database import open_database
from email_consumer.web.app import create_app
from email_consumer.web.server import Server
from tests.integration.store.mails import add_mail, rows
from tests.servers.program import run_program

KEY = "0123456789abcdef"


async def _erase(path: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    environment = {"PATH": os.environ["PATH"], "DB_PATH": str(path), **variables}
    return await run_program("erase", *arguments, directory=path.parent, environment=environment)


async def _nothing_waits() -> int:
    return 0


async def test_directly_when_nobody_has_the_database(tmp_path: Path) -> None:
    path = tmp_path / "email.db"
    async with open_database(path) as database:
        await add_mail(database, email="jane@example.com")
    code, out, _ = await _erase(path, "Jane <JANE@example.com>")
    assert (code, out.partition(",")[0]) == (0, "1 mail made anonymous")
    async with open_database(path) as database:
        assert await rows(database, "SELECT count(*) FROM email_requests WHERE email LIKE 'erased-%'") == [(1,)]


async def test_by_the_running_program(tmp_path: Path) -> None:
    path = tmp_path / "email.db"
    async with open_database(path) as database:
        await add_mail(database, email="jane@example.com")
        app = create_app(ErasureRoutes(database, Unsent(Metrics()), _nothing_waits).routes(), [KEY], version="0")
        async with Server(app, 0, host="127.0.0.1") as server:
            port = {"SERVER_PORT": str(server.port)}
            refused = await _erase(path, "jane@example.com", **port)
            code, out, _ = await _erase(path, "--json", "jane@example.com", API_KEY=KEY, **port)
        assert (refused[0], "API_KEY" in refused[2]) == (1, True)
        assert (code, json.loads(out)["mails"]) == (0, 1)
        assert await rows(database, "SELECT count(*) FROM email_requests WHERE email LIKE 'erased-%'") == [(1,)]


async def test_what_can_t_be_erased_is_said_in_plain_words(tmp_path: Path) -> None:
    code, _, err = await _erase(tmp_path / "email.db", "jane@example.com")
    assert (code, "does not exist" in err) == (1, True)
    assert not (tmp_path / "email.db").exists()
    code, _, err = await _erase(tmp_path / "email.db", "jane")
    assert (code, "ADDRESS" in err) == (2, True)
