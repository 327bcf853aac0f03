"""The pages show any mail without letting it do anything."""

from typing import Any

import aiohttp
import pytest

from sandbox_mail import simple_mail
from ses_sandbox.testing import Control

EVIL = "<script>alert(1)</script>"


async def fetch(url: str) -> tuple[str, str, str]:
    """Text, policy and type of a page."""
    async with aiohttp.ClientSession() as session, session.get(url, raise_for_status=True) as answer:
        return await answer.text(), answer.headers.get("Content-Security-Policy", ""), answer.content_type


async def test_markup_in_a_mail_is_text_on_the_pages(sandbox: Control, ses: Any) -> None:
    mail = simple_mail("u", FromEmailAddress=f'"{EVIL}" <a@example.com>')
    mail["Content"]["Simple"] |= {
        "Subject": {"Data": EVIL},
        "Body": {"Html": {"Data": f"{EVIL}<img src='cid:logo'>"}, "Text": {"Data": EVIL}},
        "Headers": [{"Name": "X-Evil", "Value": EVIL}],
        "Attachments": [{"FileName": EVIL, "RawContent": b"<script>", "ContentType": "text/html", "ContentId": "logo"}],
    }
    await ses.send_email(**mail)

    for path in ("/", "/mail/1"):
        page, policy, _ = await fetch(sandbox.url + path)
        assert EVIL not in page
        assert "&lt;script&gt;" in page
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy


async def test_the_html_is_served_unchanged_in_a_sandbox(sandbox: Control, ses: Any) -> None:
    mail = simple_mail()
    mail["Content"]["Simple"]["Body"]["Html"]["Data"] = f"{EVIL}<img src='cid:logo'>"
    mail["Content"]["Simple"]["Attachments"] = [
        {"FileName": "l.png", "RawContent": b"png", "ContentType": "image/png", "ContentId": "logo"},
        {"FileName": "x.html", "RawContent": b"<b>", "ContentType": "text/html"},
    ]
    await ses.send_email(**mail)

    html, policy, _ = await fetch(f"{sandbox.url}/mail/1/body")
    assert html == f"{EVIL}<img src='/mail/1/attachments/0'>"
    assert policy.startswith("sandbox; default-src 'none'")
    assert (await fetch(f"{sandbox.url}/mail/1/attachments/0"))[2] == "image/png"
    assert (await fetch(f"{sandbox.url}/mail/1/attachments/1"))[2] == "application/octet-stream"


async def test_an_empty_mailbox_says_so(sandbox: Control) -> None:
    page, _, content_type = await fetch(sandbox.url)
    assert "No mail yet" in page
    assert content_type == "text/html"


async def test_mail_is_found_by_address_subject_and_uuid_and_older_mail_by_a_link(sandbox: Control, ses: Any) -> None:
    for number in range(102):
        await ses.send_email(**simple_mail(f"uuid-{number}", f"Ann{number}@example.com"))
    newest, _, _ = await fetch(sandbox.url)
    assert newest.count('<a href="/mail/') == 100
    assert "/mail/102" in newest
    older, _, _ = await fetch(f"{sandbox.url}/?q=&before=3")
    assert older.count('<a href="/mail/') == 2
    for text in ("ann7@", "UUID-101", "grüße"):
        found, _, _ = await fetch(f"{sandbox.url}/?q={text}")
        assert '<a href="/mail/' in found, text
    nothing, policy, _ = await fetch(f"{sandbox.url}/?q={EVIL}")
    assert "Nothing found with" in nothing
    assert EVIL not in nothing
    assert "form-action 'self'" in policy


async def test_the_source_of_a_mail_is_what_was_sent(sandbox: Control, ses: Any) -> None:
    await ses.send_email(**simple_mail("u-1"))
    await ses.send_email(
        Content={"Raw": {"Data": b"From: a@example.com\r\nTo: b@example.com\r\nX-Own: <1>\r\n\r\nraw"}}
    )
    simple, _, _ = await fetch(f"{sandbox.url}/mail/1")
    assert "&quot;Simple&quot;: {" in simple
    raw, _, _ = await fetch(f"{sandbox.url}/mail/2")
    assert "X-Own: &lt;1&gt;" in raw


async def switch(sandbox: Control, path: str, **form: object) -> tuple[int, str]:
    """Status and text of what a form is answered with."""
    async with aiohttp.ClientSession() as session, session.post(f"{sandbox.url}/switches/{path}", data=form) as answer:
        return answer.status, await answer.text()


async def test_faults_are_switched_on_and_off(sandbox: Control, ses: Any) -> None:
    status, page = await switch(sandbox, "faults", action="reject", to=f"*{EVIL}", subject="", times="2")
    assert status == 200
    assert EVIL not in page
    [fault] = (await sandbox.get("/sandbox/faults"))["faults"]
    assert (fault["times"], fault["match"], fault["action"]["code"]) == (2, {"to": f"*{EVIL}"}, "MessageRejected")
    await switch(sandbox, f"faults/{fault['id']}/remove")
    await switch(sandbox, f"faults/{fault['id']}/remove")  # of a page that is out of date
    assert (await sandbox.get("/sandbox/faults"))["faults"] == []
    await switch(sandbox, "faults", action="throttle", times="")
    with pytest.raises(ses.exceptions.TooManyRequestsException):
        await ses.send_email(**simple_mail())
    assert "TooManyRequestsException" in (await fetch(f"{sandbox.url}/switches"))[0]
    await switch(sandbox, "faults/clear")
    await ses.send_email(**simple_mail())
    for wrong in ({"action": "reject", "times": "many"}, {"action": "unknown"}):
        status, page = await switch(sandbox, "faults", **wrong)
        assert (status, "role=alert" in page) == (400, True)


async def test_the_account_and_events_are_changed(sandbox: Control) -> None:
    await switch(sandbox, "account", max_send_rate="7.5", max_24_hour_send="-1")
    account = await sandbox.get("/sandbox/account")
    assert (account["sending_enabled"], account["max_send_rate"], account["max_24_hour_send"]) == (False, 7.5, -1)
    await switch(sandbox, "account", sending_enabled="on", max_send_rate="8", max_24_hour_send="100")
    assert (await sandbox.get("/sandbox/account"))["sending_enabled"]
    await switch(sandbox, "events", enabled="on", Bounce="on", duplicates="2", delay="0.5", retry_delay="1")
    events = await sandbox.get("/sandbox/events")
    assert (events["enabled"], events["types"], events["shuffle"]) == (True, ["Bounce"], False)
    assert (events["duplicates"], events["delay"], events["retry_delay"]) == (2, 0.5, 1)
    status, page = await switch(sandbox, "events", duplicates="0", delay="0", retry_delay="1")
    assert (status, "duplicates: " in page) == (400, True)
