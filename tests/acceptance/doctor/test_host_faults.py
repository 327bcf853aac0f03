"""What is wrong on this machine, and at the public address."""

import os
import sqlite3
from pathlib import Path

from email_consumer.store.database import open_database
from tests.acceptance.doctor.conftest import Installation


async def test_a_server_url_that_is_not_ours(installation: Installation) -> None:
    installation.sidecar.health = 404
    found = await installation.findings()
    assert (list(found), found["server.health"].severity) == (["server.health"], "error")
    assert "HTTP 404" in found["server.health"].text


async def test_a_server_url_where_nobody_answers(installation: Installation) -> None:
    found = await installation.findings(SERVER_URL="http://127.0.0.1:9")
    assert found["server.health"].severity == "error"


async def test_a_server_url_that_only_this_machine_reaches(installation: Installation) -> None:
    found = await installation.findings(AWS_ENDPOINT_URL_SNS="http://sns.invalid")
    assert found["server.url"].severity == "error"
    assert "nobody outside reaches" in found["server.url"].text
    found = await installation.findings(AWS_ENDPOINT_URL_SNS="", SNS_TOPIC_ARNS="")
    assert found["server.url"].severity == "warning"


async def test_no_api_key_a_short_one_and_a_well_known_one(installation: Installation) -> None:
    assert "not set" in (await installation.findings(API_KEY=""))["settings.api_key"].text
    assert await installation.findings(API_KEY="tiny", SERVER_BIND="127.0.0.1") == {}  # nobody else can guess it
    found = await installation.findings(API_KEY="0123456789abcdef,tiny")
    assert "shorter than 16" in found["settings.api_key"].text
    assert "tiny" not in str(found)
    assert (await installation.findings(API_KEY="changeme"))["settings.api_key"].severity == "error"


async def test_a_place_that_no_database_can_be_in(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = await installation.findings(DB_PATH=str(tmp_path / "file" / "email.db"))
    assert found["storage.writable"].severity == "error"


async def test_a_database_of_a_newer_version_and_one_that_is_none(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert "newer" in (await installation.findings(DB_PATH=str(path)))["storage.file"].text
    path.write_text("this is no database, " * 100)
    assert "can't be read" in (await installation.findings(DB_PATH=str(path)))["storage.file"].text


async def test_who_has_the_database_open(installation: Installation) -> None:
    async with open_database(Path(installation.variables["DB_PATH"])):
        findings = {each.check: each.text for each in await installation.all_findings()}
        assert f"process {os.getpid()}" in findings["storage.lock"]
    findings = {each.check: each.text for each in await installation.all_findings()}
    assert "No email-consumer" in findings["storage.lock"]
