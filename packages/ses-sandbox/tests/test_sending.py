"""What the AWS client sends is what the sandbox keeps and shows."""

from pathlib import Path
from typing import Any

from sandbox_clients import client
from sandbox_mail import simple_mail
from ses_sandbox.testing import Control, SandboxTask

RAW = (
    b"From: =?utf-8?b?SsO8cmdlbg==?= <jay@example.com>\r\nTo: a@example.com\r\nCc: b@example.com\r\n"
    b"Subject: =?utf-8?q?gr=C3=BCn?=\r\nX-Request-ID: raw-1\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=B\r\n\r\n"
    b"--B\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>x</b>\r\n"
    b"--B\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=f.txt\r\n\r\nfile\r\n--B--\r\n"
)


async def test_a_simple_mail_is_shown_in_all_its_parts(sandbox: Control, ses: Any) -> None:
    mail = simple_mail("u-1", ["Ann <ann@example.com>", "bob@example.com"], ReplyToAddresses=["help@example.com"])
    mail["Destination"] |= {"CcAddresses": ["c@example.com"], "BccAddresses": ["d@example.com"]}
    mail["Content"]["Simple"]["Attachments"] = [
        {"FileName": "a.txt", "RawContent": b"abc", "ContentType": "text/plain"}
    ]
    answered = await ses.send_email(**mail)

    shown = (await sandbox.get("/messages"))["messages"][0]

    assert shown["message_id"] == answered["MessageId"]
    assert (shown["from"], shown["subject"], shown["html"]) == (mail["FromEmailAddress"], "Grüße", "<p>Hällo</p>")
    assert shown["to"] == ["Ann <ann@example.com>", "bob@example.com"]
    assert (shown["cc"], shown["bcc"]) == (["c@example.com"], ["d@example.com"])
    assert shown["reply_to"] == ["help@example.com"]
    assert shown["headers"] == {"X-Request-ID": "u-1"}
    assert shown["tags"] == {"uuid": "u-1", "instance": "test"}
    assert shown["attachments"] == [{"filename": "a.txt", "content_type": "text/plain", "content_id": None, "size": 3}]
    assert (await sandbox.get("/sandbox/account"))["sent_last_24_hours"] == 4


async def test_a_raw_mail_is_read_from_its_mime(sandbox: Control, ses: Any) -> None:
    await ses.send_email(Content={"Raw": {"Data": RAW}})

    shown = (await sandbox.get("/messages", uuid="raw-1"))["messages"][0]

    assert (shown["to"], shown["cc"], shown["subject"]) == (["a@example.com"], ["b@example.com"], "grün")
    assert shown["html"].strip() == "<b>x</b>"
    assert shown["attachments"][0]["filename"] == "f.txt"


async def test_mails_are_found_counted_and_forgotten(sandbox: Control, ses: Any) -> None:
    for uuid, to in (("a", "ann@example.com"), ("b", "ann.b@example.com"), ("b", "ANN@example.com")):
        await ses.send_email(**simple_mail(uuid, to))

    assert (await sandbox.get("/messages", to="ann@example.com", count_only=1)) == {"count": 2}
    assert sorted((await sandbox.get("/messages/uuids"))["uuids"]) == [["a", 1], ["b", 2]]
    assert (await sandbox.get("/messages/count")) == {"count": 3, "distinct_uuids": 2, "recipients": 3}
    assert [recipients for _, recipients in (await sandbox.get("/messages/timeline"))["timeline"]] == [1, 1, 1]
    first = (await sandbox.get("/messages", limit=1))["messages"][0]
    rest = (await sandbox.get("/messages", after=first["id"]))["messages"]
    assert [first["uuid"], *(mail["uuid"] for mail in rest)] == ["a", "b", "b"]
    await sandbox.delete("/messages")
    assert (await sandbox.get("/messages/wait", count=1, timeout=0)) == {"reached": False, "count": 0}


async def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    async with SandboxTask(tmp_path, keep=3) as sandbox, client("sesv2", sandbox.url) as ses:
        for number in range(5):
            await ses.send_email(**simple_mail(str(number)))

        assert [mail["uuid"] for mail in (await sandbox.get("/messages"))["messages"]] == ["2", "3", "4"]
        assert (await sandbox.get("/messages/wait", count=5))["reached"]
