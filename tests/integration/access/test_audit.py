"""What the audit log knows afterwards, and what it does not."""

import csv
import io
import json
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from email_consumer.store.erasure import erase
from email_consumer.web.audit import KEY_USED, AuditEntry
from tests.factories import new_message
from tests.integration.access.harness import access


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "email.db"


async def test_it_says_who_changed_what(path: Path) -> None:
    async with access(path) as harness:
        admin = await harness.add("admin", name="ops")
        assert (await harness.ask("DELETE", "/v1/things/launch", key=admin["key"]))[0] == 200
        assert (await harness.ask("DELETE", f"/v1/keys/{admin['id']}"))[0] == 200
        created = f"{admin['id']} (ops)"
        assert await harness.actions() == [
            ("root", "DELETE /v1/keys/{id}", created, 200),
            (admin["id"], "DELETE /v1/things/{name}", "launch", 200),
            (admin["id"], KEY_USED, "", 200),
            ("root", "POST /v1/keys", created, 200),
            ("root", KEY_USED, "", 200),
        ]
        _, answer = await harness.ask("GET", "/v1/audit?limit=1")
        [newest] = answer["actions"]
        assert (newest["address"], newest["key_name"]) == ("127.0.0.1", "API_KEY")
        assert admin["key"] not in json.dumps(answer)


async def test_it_does_not_say_who_read_or_sent(path: Path) -> None:
    async with access(path) as harness:
        await harness.actions()
        for _ in range(3):
            await harness.ask("GET", "/v1/things")
            await harness.ask("POST", "/v1/messages", {"messages": [new_message()]})
            await harness.ask("DELETE", "/v1/keys/none")  # 404: nothing was changed
        assert await harness.actions() == [("root", KEY_USED, "", 200)]


async def test_the_use_of_a_leaked_key_is_found(path: Path) -> None:
    async with access(path) as harness:
        leaked = await harness.add("send", name="shop")
        for _ in range(3):  # the repetitions are no news
            await harness.ask("POST", "/v1/messages", {"messages": [new_message()]}, key=leaked["key"])
            await harness.ask("GET", "/v1/things", key=leaked["key"])
            await harness.ask("DELETE", "/v1/things/launch", key=leaked["key"])
        assert await harness.actions(key=leaked["id"]) == [
            (leaked["id"], "DELETE /v1/things/{name}", "launch", 403),
            (leaked["id"], "GET /v1/things", "", 403),
            (leaked["id"], KEY_USED, "", 200),
        ]


async def test_exports_are_whole_and_recorded_themselves(path: Path) -> None:
    async with access(path) as harness:
        for number in range(3):
            await harness.ask("DELETE", f"/v1/things/{number}")
        _, lines = await harness.ask("GET", "/v1/audit.ndjson?action=DELETE")
        assert [json.loads(line)["target"] for line in lines.splitlines()] == ["2", "1", "0"]
        _, text = await harness.ask("GET", "/v1/audit.csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert rows[0]["action"] == "GET /v1/audit.ndjson"
        assert len(rows) == 5
        assert [action for _, action, _, _ in await harness.actions(action=".csv")] == ["GET /v1/audit.csv"]
        await harness.ask("DELETE", "/v1/things/=1-1")
        _, text = await harness.ask("GET", "/v1/audit.csv?action=things")
        assert next(csv.DictReader(io.StringIO(text)))["target"] == "'=1-1"  # no formula for a spreadsheet


async def test_its_pages_follow_each_other(path: Path) -> None:
    async with access(path) as harness:
        for number in range(5):
            await harness.ask("DELETE", f"/v1/things/{number}")
        found, after = [], ""
        while after is not None:
            _, answer = await harness.ask("GET", f"/v1/audit?action=DELETE&limit=2&after={after}")
            found += [each["target"] for each in answer["actions"]]
            after = answer["next"]
        assert found == ["4", "3", "2", "1", "0"]
        assert await harness.actions(since="2099-01-01T00:00:00Z") == []
        assert len(await harness.actions(action="DELETE", until="2099-01-01T00:00:00Z")) == 5
        assert (await harness.ask("GET", "/v1/audit?since=yesterday"))[0] == 400


async def test_an_erased_address_is_not_kept_in_it(path: Path) -> None:
    async with access(path) as harness:
        await harness.ask("DELETE", "/v1/things/anna@example.com")
        await harness.ask("DELETE", "/v1/things/2?email=Anna@Example.com")
        await harness.ask("DELETE", "/v1/things/joanna@example.com")
        await erase(harness.database, "anna@example.com")
        assert [target for _, _, target, _ in await harness.actions(action="DELETE")] == [
            "joanna@example.com",
            "erased",
            "erased",
        ]


async def test_old_entries_are_deleted(path: Path) -> None:
    async with access(path) as harness:
        now = time.time()
        for age in (86_401.0, 86_399.0):
            await harness.log.record(AuditEntry(now - age, "root", "API_KEY", "DELETE", str(age), 200, ""))
        await harness.log.sweep(now)
        assert [target for _, _, target, _ in await harness.actions(action="DELETE")] == ["86399.0"]


async def test_what_can_not_be_recorded_is_logged_and_done(path: Path) -> None:
    async with access(path) as harness:
        await harness.ask("GET", "/v1/things")
        async with harness.database.transaction() as connection:
            await connection.execute("DROP TABLE audit_log")
        with capture_logs() as logs:
            assert (await harness.ask("DELETE", "/v1/things/launch"))[0] == 200
        assert [line["event"] for line in logs] == ["audit.not_written"]
