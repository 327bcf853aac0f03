"""`email-consumer suppressions` as a process, asking routes that are really served."""

import json
import os
from pathlib import Path

import pytest

from tests.factories import event
from tests.integration.feedback.harness import open_harness
from tests.integration.feedback.http_harness import API_KEY, HttpHarness, serve
from tests.servers.program import run_program


async def run(http: HttpHarness, *arguments: str, key: str = API_KEY) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    environment = {"PATH": os.environ["PATH"], "SERVER_PORT": http.url.rpartition(":")[2], "API_KEY": key}
    return await run_program("suppressions", *arguments, directory=Path.cwd(), environment=environment)


async def test_an_operator_looks_adds_and_removes(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no .env there
    async with open_harness(path) as harness, serve(harness) as http:
        assert await run(http, "list") == (0, "No address is suppressed.\n", "")
        await harness.send()
        await harness.take(event("Bounce"))
        code, output, _ = await run(http, "add", "Ann <Ann@example.com>", "--detail", "asked by phone")
        assert (code, output.startswith("ann@example.com  manual since 20")) == (0, True)
        _, output, _ = await run(http, "list")
        assert output.splitlines()[1] == "jane@example.com  hard bounce since 2023-11-14T22:13 (Permanent/General)"
        _, output, _ = await run(http, "list", "--reason", "hard-bounce", "--json")
        assert [json.loads(line)["address"] for line in output.splitlines()] == ["jane@example.com"]
        assert (await run(http, "remove", "ann@example.com"))[1].startswith("Removed: ann@example.com")
        assert await run(http, "remove", "ann@example.com") == (
            1,
            "",
            "Error: The address is not on the suppression list.\n",
        )
        code, _, errors = await run(http, "list", key="wrong")
        assert (code, "API_KEY" in errors) == (1, True)


async def test_groups_are_added_listed_and_removed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_harness(path) as harness, serve(harness) as http:
        _, output, _ = await run(http, "add", "ann@example.com", "--group", "news")
        assert output.startswith("ann@example.com  manual from news since 20")
        _, output, _ = await run(http, "add", "ann@example.com", "--bulk")
        assert output.startswith("ann@example.com  unsubscribed since 20")
        _, output, _ = await run(http, "list", "--group", "news")
        assert output.startswith("ann@example.com  manual from news")
        _, output, _ = await run(http, "remove", "ann@example.com")
        removed, still = output.splitlines()
        assert removed.startswith("Removed: ann@example.com  unsubscribed since")
        assert still.startswith("Still suppressed: ann@example.com  manual from news since")
        _, output, _ = await run(http, "remove", "ann@example.com", "--group", "news")
        assert output.startswith("Removed: ann@example.com  manual from news")
        assert await run(http, "list") == (0, "No address is suppressed.\n", "")
