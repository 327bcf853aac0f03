"""`email-consumer messages` as a process, asking routes that are really served."""

import csv
import io
import json
import os
from pathlib import Path

import pytest

from tests.integration.dashboard.rows import KEY, Rows
from tests.integration.dashboard.rows import rows as open_rows
from tests.servers.program import run_program


async def run(it: Rows, *arguments: str, key: str = KEY) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    environment = {"PATH": os.environ["PATH"], "SERVER_PORT": it.url.rpartition(":")[2], "API_KEY": key}
    return await run_program("messages", *arguments, directory=Path.cwd(), environment=environment)


async def test_a_list_of_several_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no .env there
    async with open_rows(tmp_path) as it:
        assert await run(it, "list") == (0, "No such mail.\n", "")
        await it.add(*(f"u{number}@example.com" for number in range(450)), topic="t", status=4, error="cancelled")
        code, output, _ = await run(it, "list", "--topic", "t", "--state", "stopped", "--limit", "420")
        lines = output.splitlines()
        assert (code, len(lines)) == (0, 420)
        assert lines[0] == "2001-09-09T01:46:40  stopped     u-450  u449@example.com  t  (cancelled)"
        _, output, _ = await run(it, "list", "--email", "u7@example.com", "--domain", "example.com", "--json")
        assert [json.loads(line)["uuid"] for line in output.splitlines()] == ["u-8"]
        assert (await run(it, "list", "--since", "2001-09-09T01:46:41Z"))[1] == "No such mail.\n"


async def test_one_mail_with_its_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_rows(tmp_path) as it:
        await it.add("a@example.com")
        await it.execute(
            "INSERT INTO email_results (request_id, status, recipient, detail, created_at)"
            " VALUES (1, 'Bounce', 'a@example.com', 'Permanent/General', 1e9)"
        )
        code, output, _ = await run(it, "show", "u-1")
        assert code == 0
        assert "state       bounced" in output
        assert output.splitlines()[-1] == "2001-09-09T01:46:40  Bounce  a@example.com"
        assert json.loads((await run(it, "show", "u-1", "--json"))[1])["reason"] == "Permanent/General"
        code, _, error = await run(it, "show", "u-2")
        assert (code, error.startswith("Error: No mail with this uuid is known.")) == (1, True)


async def test_the_bounced_addresses_of_a_topic_in_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_rows(tmp_path) as it:
        await it.add("a@example.com", "b@example.com", topic="t")
        await it.execute(
            "INSERT INTO email_results (request_id, status, recipient, created_at) VALUES (2, 'Bounce', 'b@example.com', 1e9)"
        )
        code, output, errors = await run(it, "export", "--topic", "t", "--state", "bounced")
        assert (code, errors) == (0, "")
        assert [row["email"] for row in csv.DictReader(io.StringIO(output, newline=""))] == ["b@example.com"]
        code, output, _ = await run(it, "export", "--format", "ndjson", "--output", "mails.ndjson")
        assert (code, output) == (0, "")
        mails = [json.loads(line) for line in (tmp_path / "mails.ndjson").read_text().splitlines()]
        assert [mail["email"] for mail in mails] == ["b@example.com", "a@example.com"]


async def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_rows(tmp_path) as it:
        code, _, errors = await run(it, "export", "--since", "yesterday")
        assert (code, errors.startswith("Error: since ")) == (1, True)
        code, _, errors = await run(it, "export", key="wrong")
        assert (code, "API_KEY" in errors) == (1, True)
