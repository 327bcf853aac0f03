"""A sandbox whose events come back to the program, and what the program has to be told for it."""

from pathlib import Path

from ses_sandbox.testing import SandboxTask
from tests.servers.nats import NatsServer

_TOPIC_ARN = "arn:aws:sns:ap-northeast-2:000000000000:ses-events"


def sandbox_with_events(directory: Path, port: int) -> SandboxTask:
    """Not started. Its events go to the program at that port, until they are taken."""
    return SandboxTask(
        directory / "sandbox",
        events_to=f"http://127.0.0.1:{port}/v1/events/results",
        event_retry_delay=1,
        event_max_retries=1000,
    )


async def variables_for(directory: Path, nats: NatsServer, sandbox: SandboxTask) -> dict[str, str]:
    """Switch the sandbox's events on; returns what all processes have in common."""
    await sandbox.put("/sandbox/events", {"enabled": True, "delay": 0})
    return {
        "NATS_URL": nats.url,
        "AWS_ENDPOINT_URL_SESV2": sandbox.url,
        "AWS_ENDPOINT_URL_SNS": sandbox.url,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
        "SNS_TOPIC_ARNS": _TOPIC_ARN,
        "SANDBOX_CERTIFICATE": str(directory / "sandbox" / "sns-certificate.pem"),
        "RETRY_DELAY": "0.2",
    }
