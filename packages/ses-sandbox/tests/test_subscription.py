"""The SNS handshake, as the AWS client and a receiver see it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError

from sandbox_clients import REGION, client
from ses_sandbox.testing import Control, SandboxTask
from sns_receiver import Receiver, verify

TOPIC = f"arn:aws:sns:{REGION}:000000000000:mine"


@pytest.fixture
async def sns(sandbox: Control) -> AsyncIterator[Any]:
    async with client("sns", sandbox.url) as each:
        yield each


async def test_a_subscription_is_confirmed_by_its_token(tmp_path: Path) -> None:
    async with (
        Receiver() as receiver,
        SandboxTask(tmp_path) as sandbox,
        client("sns", sandbox.url) as sns,
    ):
        topic = (await sns.create_topic(Name="mine"))["TopicArn"]
        pending = await sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
        [request] = await receiver.wait_for(1)

        verify(request, tmp_path / "sns-certificate.pem")
        headers = receiver.posts[0][0]
        query = parse_qs(urlsplit(request["SubscribeURL"]).query)
        assert (topic, pending["SubscriptionArn"]) == (TOPIC, "pending confirmation")
        assert headers["x-amz-sns-message-type"] == request["Type"] == "SubscriptionConfirmation"
        assert headers["Content-Type"] == "text/plain; charset=UTF-8"
        assert query == {"Action": ["ConfirmSubscription"], "TopicArn": [topic], "Token": [request["Token"]]}
        assert urlsplit(request["SigningCertURL"]).hostname == f"sns.{REGION}.amazonaws.com"
        assert await _states(sns, topic) == [("PendingConfirmation", receiver.url)]

        confirmed = await sns.confirm_subscription(TopicArn=topic, Token=request["Token"])

        arn = confirmed["SubscriptionArn"]
        assert arn.startswith(f"{topic}:")
        assert await _states(sns, topic) == [(arn, receiver.url)]
        published = await sns.publish(TopicArn=topic, Message="hello", Subject="greeting")
        note = (await receiver.wait_for(2))[1]
        verify(note, tmp_path / "sns-certificate.pem")
        assert (note["Message"], note["Subject"], note["MessageId"]) == ("hello", "greeting", published["MessageId"])
        assert receiver.posts[1][0]["x-amz-sns-subscription-arn"] == arn


async def _states(sns: Any, topic: str) -> list[tuple[str, str]]:
    listed = await sns.list_subscriptions_by_topic(TopicArn=topic)
    return [(each["SubscriptionArn"], each["Endpoint"]) for each in listed["Subscriptions"]]


async def test_attributes_say_what_a_doctor_asks(sns: Any) -> None:
    await sns.create_topic(Name="mine")
    arn = (
        await sns.subscribe(
            TopicArn=TOPIC, Protocol="http", Endpoint="http://127.0.0.1:9/x", ReturnSubscriptionArn=True
        )
    )["SubscriptionArn"]
    policy = '{"healthyRetryPolicy":{"numRetries":50}}'
    await sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="DeliveryPolicy", AttributeValue=policy)
    await sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true"
    )

    attributes = (await sns.get_subscription_attributes(SubscriptionArn=arn))["Attributes"]
    topic = (await sns.get_topic_attributes(TopicArn=TOPIC))["Attributes"]

    assert (attributes["PendingConfirmation"], attributes["RawMessageDelivery"]) == ("true", "true")
    assert attributes["DeliveryPolicy"] == policy
    assert '"numRetries":50' in attributes["EffectiveDeliveryPolicy"]
    assert (topic["SubscriptionsPending"], topic["SubscriptionsConfirmed"]) == ("1", "0")
    await sns.unsubscribe(SubscriptionArn=arn)
    assert await _states(sns, TOPIC) == []


async def test_what_does_not_exist_or_fit_is_refused(sns: Any) -> None:
    with pytest.raises(sns.exceptions.NotFoundException):
        await sns.get_topic_attributes(TopicArn=TOPIC)
    await sns.create_topic(Name="mine")
    with pytest.raises(sns.exceptions.InvalidParameterException, match="Token"):
        await sns.confirm_subscription(TopicArn=TOPIC, Token="wrong")
    with pytest.raises(sns.exceptions.InvalidParameterException, match="sqs"):
        await sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint="arn:aws:sqs:x:0:q")
    with pytest.raises(ClientError, match="InvalidAction"):
        await sns.list_origination_numbers()


async def test_foreign_credentials_are_refused_in_this_protocols_words(sandbox: Control) -> None:
    async with client("sns", sandbox.url, aws_secret_access_key="wrong") as sns:
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            await sns.list_topics()


async def test_sts_names_the_account(sandbox: Control) -> None:
    async with client("sts", sandbox.url) as sts:
        assert (await sts.get_caller_identity())["Account"] == "000000000000"
