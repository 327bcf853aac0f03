"""The pages show any mail without letting it do anything."""

from typing import Any

import aiohttp

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
