"""An installation without a fault, of real servers; each test breaks one thing."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import aioboto3
import pytest
from nats.aio.client import Client

from email_consumer.aws.control_plane import ControlPlane, control_plane
from email_consumer.doctor.examination import examine
from email_consumer.doctor.finding import Finding, Severity
from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.settings import load_settings
from email_consumer.settings.mail_stream import mail_stream
from email_consumer.sources.jetstream.topology import Topology
from ses_sandbox.testing import SandboxTask
from tests.acceptance.doctor.sidecar import Sidecar
from tests.servers.nats import NatsServer

REGION = "eu-west-1"
TOPIC = f"arn:aws:sns:{REGION}:000000000000:mail"
PATIENT = '{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":120,"numRetries":45}}'
_TYPES = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"]


@dataclass
class Installation:
    """What `doctor` looks at."""

    nats: NatsServer
    sandbox: SandboxTask
    sidecar: Sidecar
    variables: dict[str, str]

    async def all_findings(self, **variables: str) -> list[Finding]:
        """Everything it says."""
        return await examine(load_settings(self.variables | variables), ses_calls_per_second=1_000)

    async def findings(self, **variables: str) -> dict[str, Finding]:
        """What is wrong: the first fault of each check."""
        found: dict[str, Finding] = {}
        for finding in await self.all_findings(**variables):
            if finding.severity is not Severity.OK:
                found.setdefault(finding.check, finding)
        return found

    async def publish_events(self, topic: str = TOPIC, types: list[str] | None = None, *, enabled: bool = True) -> None:
        """Script the configuration set `mail` with one event destination."""
        destination = {"topic_arn": topic, "types": _TYPES if types is None else types, "enabled": enabled}
        script = {"mail": {"destinations": [destination]}}
        await self.sandbox.put("/sandbox/configuration-sets", {"configuration_sets": script})

    async def subscribe(self, url: str, **attributes: str) -> None:
        """Subscribe an endpoint to the topic in place of what was subscribed before."""
        async with aioboto3.Session(region_name=REGION).client("sns", endpoint_url=self.sandbox.url) as sns:
            await sns.delete_topic(TopicArn=TOPIC)
            await sns.create_topic(Name="mail")
            protocol = url.partition(":")[0]
            await sns.subscribe(TopicArn=TOPIC, Protocol=protocol, Endpoint=url, Attributes=attributes)
        if self.sidecar.sns_endpoint and url.startswith(self.sidecar.url):
            await self.sidecar.wait_confirmed()

    def control_plane(self) -> AbstractAsyncContextManager[ControlPlane]:
        """What asks SES and SNS."""
        url = self.sandbox.url
        return control_plane(region=REGION, ses_endpoint=url, sns_endpoint=url, per_second=1_000)

    async def client(self) -> Client:
        """A connection to NATS."""
        return await connect(NatsEndpoint([self.nats.url]))


@pytest.fixture
async def installation(tmp_path: Path, aws_environment: Path) -> AsyncIterator[Installation]:  # noqa: ARG001 - set first
    async with (
        NatsServer(tmp_path / "nats") as nats,
        SandboxTask(tmp_path / "sandbox") as sandbox,
        Sidecar() as sidecar,
    ):
        sidecar.sns_endpoint = sandbox.url
        variables = {
            "NATS_URL": nats.url,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_SESV2": sandbox.url,
            "AWS_ENDPOINT_URL_SNS": sandbox.url,
            "FROM_EMAIL": "Example <no-reply@mail.example.com>",
            "CONFIGURATION_SET": "mail",
            "SNS_TOPIC_ARNS": TOPIC,
            "SERVER_URL": sidecar.url,
            "SERVER_PORT": sidecar.url.rpartition(":")[2],
            "API_KEY": "0123456789abcdef0123456789abcdef",
            "DB_PATH": str(tmp_path / "email.db"),
        }
        installation = Installation(nats, sandbox, sidecar, variables)
        await installation.publish_events()
        await installation.subscribe(sidecar.events_url, DeliveryPolicy=PATIENT)
        await _make_queue(installation)
        yield installation


async def _make_queue(installation: Installation) -> None:
    client = await installation.client()
    settings = load_settings(installation.variables)
    await Topology(client, mail_stream(settings)).ensure()
    await client.close()
