"""Confirms a subscription through the SNS API. The SubscribeURL in the message is never fetched."""

import aioboto3
import structlog
from aiolimiter import AsyncLimiter
from botocore.exceptions import ClientError

from email_consumer.aws.client import NoAnswerError, answered, client_config
from email_consumer.sns.envelope import Envelope
from email_consumer.sns.refusal import Refusal
from email_consumer.sns.topic_arn import TopicArn

_CONNECT, _ANSWER = 4.0, 6.0
"""Seconds; SNS waits 15 for our answer, then repeats its request."""
_DEAD_TOKEN = frozenset({"InvalidParameter", "InvalidParameterException", "NotFound", "NotFoundException"})

_log = structlog.get_logger(__name__)


class Subscriptions:
    """Answers what SNS asks about our subscription itself. The message must have been verified."""

    def __init__(self, endpoint: str | None = None) -> None:
        """An `endpoint` of None is AWS's own in the topic's region."""
        self._endpoint = endpoint
        self._limit = AsyncLimiter(1, 1)

    async def confirm(self, envelope: Envelope, topic: TopicArn) -> None:
        """Confirm, so that from now on only the account's owner can unsubscribe us.

        Raises:
            Refusal: SNS did not take it.
        """
        session = aioboto3.Session(region_name=topic.region)
        config = client_config(connect=_CONNECT, answer=_ANSWER)
        try:
            async with (
                self._limit,
                session.client("sns", endpoint_url=self._endpoint, config=config) as client,
            ):
                call = client.confirm_subscription(
                    TopicArn=envelope.topic_arn, Token=envelope.token, AuthenticateOnUnsubscribe="true"
                )
                answer = await answered(call, within=_CONNECT + _ANSWER)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _DEAD_TOKEN:
                raise Refusal("confirmation", f"SNS says {error}; subscribe again if none is confirmed", 400) from error
            raise _failed(error) from error
        except NoAnswerError as error:
            raise _failed(error) from error
        if not (subscription := answer.get("SubscriptionArn")):
            raise _failed("what answered is not SNS")
        _log.info("events.subscribed", topic=envelope.topic_arn, subscription=subscription)

    def unsubscribed(self, envelope: Envelope) -> None:
        """Somebody ended the subscription."""
        _log.error(
            "events.unsubscribed",
            topic=envelope.topic_arn,
            hint="no more events come from this topic: bounces go unseen, mail in doubt is settled by the policy alone;"
            " subscribe this endpoint again unless that was meant",
        )


def _failed(reason: Exception | str) -> Refusal:
    text = f"the subscription can't be confirmed ({reason}); our credentials need sns:ConfirmSubscription on the topic"
    return Refusal("confirmation", text, 503)
