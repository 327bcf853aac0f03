"""What is wrong with the queues, made at moto's SQS and SNS."""

from collections.abc import Iterator

import aioboto3
import pytest

from email_consumer.aws.control_plane import control_plane
from email_consumer.doctor.subscription import check_subscription
from tests.acceptance.doctor.conftest import Installation
from tests.servers.sqs import REGION, SqsServer


@pytest.fixture(scope="module")
def sqs() -> Iterator[SqsServer]:
    with SqsServer() as server:
        yield server


async def test_a_queue_that_is_not_there(installation: Installation, sqs: SqsServer) -> None:
    variables = {"AWS_ENDPOINT_URL_SQS": sqs.url, "AWS_REGION": REGION}
    url = f"{sqs.url}/123456789012/absent"
    found = await installation.findings(SOURCE="nats,sqs", SQS_QUEUE_URL=url, **variables)
    assert (list(found), found["sqs.source"].severity) == (["sqs.source"], "error")
    assert "there is no such queue" in found["sqs.source"].text
    found = await installation.findings(SNS_EVENTS_QUEUE_URL=url, **variables)
    assert found["sqs.events"].severity == "error"


async def test_mail_that_would_have_no_place_to_die_in(installation: Installation, sqs: SqsServer) -> None:
    queue = await sqs.create_queue("mail")
    variables = {"SQS_QUEUE_URL": queue.url, "AWS_ENDPOINT_URL_SQS": sqs.url, "AWS_REGION": REGION}
    await installation.nats.stop()  # which is not needed
    found = await installation.findings(SOURCE="sqs", **variables)
    assert (list(found), found["nats.reachable"].severity) == (["nats.reachable", "sqs.dead_letters"], "skipped")
    assert found["sqs.dead_letters"].severity == "error"


async def test_a_redrive_policy_that_is_impatient(installation: Installation, sqs: SqsServer) -> None:
    queue, _ = await sqs.create_queue_with_dead_letters("mail", receives=3)
    variables = {"SQS_QUEUE_URL": queue.url, "AWS_ENDPOINT_URL_SQS": sqs.url, "AWS_REGION": REGION}
    found = await installation.findings(SOURCE="nats,sqs", **variables)
    assert (list(found), found["sqs.dead_letters"].severity) == (["sqs.dead_letters"], "warning")


async def test_events_through_a_queue(sqs: SqsServer, installation: Installation) -> None:
    assert installation.variables  # its credentials
    queue = await sqs.create_queue("events")
    arn = (await queue.attributes())["QueueArn"]
    async with (
        aioboto3.Session(region_name=REGION).client("sns", endpoint_url=sqs.url) as sns,
        control_plane(region=REGION, ses_endpoint=None, sns_endpoint=sqs.url) as aws,
    ):
        topic = (await sns.create_topic(Name="mail"))["TopicArn"]
        [finding] = await check_subscription(aws, topic, "https://mail.example.com", queue.url)
        assert (finding.check, finding.severity) == ("sns.subscription", "error")
        assert "--protocol sqs" in finding.fix
        subscription = (await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn))["SubscriptionArn"]
        findings = await check_subscription(aws, topic, "https://mail.example.com", queue.url)
        assert [each.severity for each in findings] == ["ok", "ok"]
        await sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true"
        )
        findings = await check_subscription(aws, topic, "https://mail.example.com", queue.url)
        assert {each.check: each.severity for each in findings}["sns.raw_delivery"] == "error"
