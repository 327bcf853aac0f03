"""SES's events through SNS and SQS, for a harness's daemons."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aioboto3

from tests.acceptance.conftest import DaemonHarness
from tests.servers.sns_to_sqs import SnsToSqs
from tests.servers.sqs import REGION, SqsServer

_TOPIC = f"arn:aws:sns:{REGION}:000000000000:ses-events"


@asynccontextmanager
async def events_through_sqs(harness: DaemonHarness, server: SqsServer) -> AsyncIterator[SnsToSqs]:
    """SES tells of each accepted mail through a queue, and daemons of this harness read it."""
    async with SnsToSqs(server) as bridge:
        harness.variables |= {
            "AWS_ENDPOINT_URL_SNS": harness.sandbox.url,
            "AWS_ENDPOINT_URL_SQS": server.url,
            "SNS_EVENTS_QUEUE_URL": bridge.queue.url,
            "SNS_TOPIC_ARNS": _TOPIC,
            "SANDBOX_CERTIFICATE": str(harness.directory / "sandbox" / "sns-certificate.pem"),
        }
        await harness.sandbox.put("/sandbox/events", {"types": ["Send"], "retry_delay": 0.2, "max_retries": 1000})
        session = aioboto3.Session(
            region_name=REGION,
            aws_access_key_id=harness.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=harness.variables["AWS_SECRET_ACCESS_KEY"],
        )
        async with session.client("sns", endpoint_url=harness.sandbox.url) as sns:
            await sns.create_topic(Name="ses-events")
            await sns.subscribe(TopicArn=_TOPIC, Protocol="http", Endpoint=bridge.url)
        yield bridge
