"""A real Django project that sends through the daemon to the sandbox."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.acceptance.clients.installation import Installation

_PROJECT = Path(__file__).parent / "django_project"


async def _manage(installation: Installation, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of one of Django's commands."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "manage.py",
        *arguments,
        cwd=_PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "EMAIL_CONSUMER_URL": installation.url,
            "EMAIL_CONSUMER_API_KEY": installation.api_key,
        },
        stdout=PIPE,
        stderr=PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def test_an_order_reaches_ses_once_as_django_wrote_it(installation: Installation) -> None:
    uuids = []
    for _ in range(2):
        exit_code, out, errors = await _manage(installation, "send_order", "jane@example.com")
        assert exit_code == 0, errors
        uuids.append(out.strip())
    assert uuids[0] == uuids[1]  # the same Idempotency-Key
    mail = await installation.mail_until(uuids[0], lambda mail: bool(mail.results))
    assert (mail.status, mail.topic_id, mail.raw["source"]) == ("Sent", "orders", "api")
    received = await installation.received("jane@example.com")
    assert received["subject"] == "Your order 4711"
    text = str(received)
    for part in ("shop@example.com", "archive@example.com", "help@example.com", "It is on its way.", "invoice.txt"):
        assert part in text
    assert "X-Order" in text


async def test_a_mail_of_django_bounces(installation: Installation) -> None:
    exit_code, out, errors = await _manage(installation, "send_order", "bounce@simulator.amazonses.com")
    assert exit_code == 0, errors
    event = await installation.event("bounced", out.strip())
    assert (event.topic_id, event.lane, event.email) == ("orders", "transactional", "bounce@simulator.amazonses.com")
    mail = await installation.mail_until(out.strip(), lambda mail: mail.state == "bounced")
    assert mail.reason == "Permanent/General"


async def test_djangos_own_command_reaches_each_admin(installation: Installation) -> None:
    exit_code, _, errors = await _manage(installation, "sendtestemail", "--admins")
    assert exit_code == 0, errors
    for admin in ("ann@example.com", "bob@example.com"):
        assert "Test email" in (await installation.received(admin))["subject"]


async def test_a_wrong_key_is_said(installation: Installation) -> None:
    wrong = Installation(installation.url, "wrong", installation.nats_url, installation.ses_url)
    exit_code, _, errors = await _manage(wrong, "sendtestemail", "a@example.com")
    assert exit_code == 1
    assert "AccessError" in errors
