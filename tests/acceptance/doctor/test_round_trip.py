"""`doctor --send`: the whole loop, with the real daemon, and where it breaks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from email_consumer.doctor.examination import send_through
from email_consumer.doctor.finding import Finding
from email_consumer.settings import load_settings
from tests.acceptance.doctor.conftest import PATIENT, Installation
from tests.acceptance.doctor.test_command import run_doctor
from tests.servers.daemon import Daemon
from tests.waiting import PATIENCE

_KEYS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox-secret"}


@asynccontextmanager
async def _daemon(installation: Installation, tmp_path: Path) -> AsyncIterator[Daemon]:
    """Running, subscribed; `installation` knows its port."""
    variables = installation.variables | {
        "SERVER_PORT": "0",
        "SANDBOX_CERTIFICATE": str(tmp_path / "sandbox" / "sns-certificate.pem"),
        "DB_PATH": str(tmp_path / "daemon.db"),
    }
    async with Daemon(tmp_path / "daemon", variables | _KEYS) as daemon:
        port = (await daemon.wait_for("sidecar.listening"))["port"]
        url = f"http://127.0.0.1:{port}"
        installation.variables |= {"SERVER_PORT": str(port), "SERVER_URL": url, "DB_PATH": variables["DB_PATH"]}
        await installation.subscribe(f"{url}/v1/events/results", DeliveryPolicy=PATIENT)
        await daemon.wait_for("events.subscribed")
        yield daemon


async def _send(installation: Installation, patience: float = 8.0) -> Finding:
    """How it ended."""
    return (await send_through(load_settings(installation.variables), patience=patience))[-1]


async def test_a_bounce_comes_all_the_way_back(installation: Installation, tmp_path: Path) -> None:
    async with _daemon(installation, tmp_path):
        code, out, err = await run_doctor(installation, tmp_path, "--send")
    assert (code, err) == (0, ""), out
    steps = [line.split()[1] for line in out.splitlines() if " loop." in line]
    assert steps == [
        "loop.sidecar", "loop.published", "loop.sent", "loop.bounced", "loop.suppressed", "loop.released",
    ]  # fmt: skip


async def test_events_that_don_t_come(installation: Installation, tmp_path: Path) -> None:
    async with _daemon(installation, tmp_path):
        await installation.sandbox.put("/sandbox/events", {"enabled": False})
        finding = await _send(installation)
    assert (finding.check, finding.severity) == ("loop.bounced", "error")


async def test_mail_that_ses_refuses(installation: Installation, tmp_path: Path) -> None:
    async with _daemon(installation, tmp_path):
        fault = {"operation": "SendEmail", "action": {"kind": "error", "code": "MessageRejected"}}
        await installation.sandbox.post("/sandbox/faults", fault)
        finding = await _send(installation, patience=PATIENCE)
    assert (finding.check, finding.severity) == ("loop.sent", "error")
    assert "Failed, MessageRejected" in finding.text


async def test_a_key_that_is_refused_and_a_daemon_that_is_not_there(installation: Installation, tmp_path: Path) -> None:
    async with _daemon(installation, tmp_path):
        installation.variables["API_KEY"] = "another"
        finding = await _send(installation)
        assert (finding.check, finding.severity) == ("loop.sidecar", "error")
        assert "API_KEY" in finding.fix
    finding = await _send(installation)
    assert (finding.check, "Start `email-consumer run`" in finding.fix) == ("loop.sidecar", True)
