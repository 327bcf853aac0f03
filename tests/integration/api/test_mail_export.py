"""All mail of a list, as CSV and as JSON lines."""

import csv
import io
import json
from pathlib import Path

import aiohttp
import pytest

from email_consumer.api import mail_lists
from email_consumer.api.mail_lists import MailSummary
from tests.integration.dashboard.rows import Rows, rows


async def _export(it: Rows, kind: str, **query: str) -> tuple[str, str]:
    """Content type and text."""
    async with it.session.get(f"{it.url}/v1/messages.{kind}", params=query) as response:
        assert response.status == 200
        return response.headers["Content-Type"], await response.text()


async def test_both_forms_have_every_mail_of_every_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_lists, "_EXPORTED", 3)
    async with rows(tmp_path) as it:
        await it.add(*(f"u{number}@example.com" for number in range(10)), topic='quo"ted, Gruß', status=3, error="a\nb")
        await it.add("other@example.com")
        kind, text = await _export(it, "ndjson", topic_id='quo"ted, Gruß')
        assert kind == "application/x-ndjson; charset=utf-8"
        mails = [json.loads(line) for line in text.splitlines()]
        assert [mail["uuid"] for mail in mails] == [f"u-{number}" for number in range(10, 0, -1)]
        _, page = await it.get("/v1/messages", topic_id='quo"ted, Gruß')
        assert page["mails"] == mails

        kind, text = await _export(it, "csv", topic_id='quo"ted, Gruß')
        assert kind == "text/csv; charset=utf-8"
        table = list(csv.DictReader(io.StringIO(text, newline="")))
        assert list(table[0]) == list(MailSummary.model_fields)
        assert [row["uuid"] for row in table] == [mail["uuid"] for mail in mails]
        assert (table[0]["topic_id"], table[0]["error"], table[0]["message_id"]) == ('quo"ted, Gruß', "a\nb", "")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]
)
async def test_no_spreadsheet_runs_what_strangers_wrote(tmp_path: Path, text: str) -> None:
    async with rows(tmp_path) as it:
        await it.add("+1@example.com", topic=text, status=3, error=text)
        await it.execute("UPDATE email_requests SET subject = ?, tenant = 'a-b'", [text])
        [mail] = csv.DictReader(io.StringIO((await _export(it, "csv"))[1], newline=""))
        assert {mail[name] for name in ("topic_id", "error", "reason", "subject")} == {f"'{text}"}
        assert (mail["email"], mail["tenant"], mail["uuid"]) == ("'+1@example.com", "a-b", "u-1")
        [raw] = map(json.loads, (await _export(it, "ndjson"))[1].splitlines())
        assert {raw[name] for name in ("topic_id", "error", "reason", "subject")} == {text}


async def test_an_empty_list(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        assert (await _export(it, "ndjson"))[1] == ""
        assert (await _export(it, "csv"))[1] == ",".join(MailSummary.model_fields) + "\r\n"


async def test_an_error_midway_is_no_complete_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_lists, "_EXPORTED", 1)
    async with rows(tmp_path) as it:
        await it.add("a@example.com", "b@example.com")
        await it.execute("UPDATE email_requests SET status = 9 WHERE id = 1")
        with pytest.raises(aiohttp.ClientPayloadError):
            await _export(it, "ndjson")
