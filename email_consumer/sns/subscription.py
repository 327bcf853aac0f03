"""Confirms subscriptions through the SNS API; the SubscribeURL of a message is never fetched."""

import aioboto3
import structlog
from aiolimiter import AsyncLimiter
from botocore.exceptions import ClientError

from email_consumer.aws.client import NoAnswerError, answered, client_config
from email_consumer.sns.envelope import Envelope
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.sns.topic_arn import TopicArn

_CONNECT, _ANSWER = 4.0, 6.0
"""Seconds; SNS waits 15 for our answer, then repeats its request."""
_INVALID_TOKEN = frozenset({"InvalidParameter", "InvalidParameterException", "NotFound", "NotFoundException"})

_log = structlog.get_logger(__name__)


class Subscriptions:
    """Handles SNS messages about the subscription itself, which must have been verified."""

    def __init__(self, endpoint: str | None = None) -> None:
        """An `endpoint` of None is AWS's in the topic's region."""
        self._endpoint = endpoint
        self._limit = AsyncLimiter(1, 1)

    async def confirm(self, envelope: Envelope, topic: TopicArn) -> None:
        """Confirm it, so that only the account's owner can unsubscribe us.

        Raises:
            MessageRefusedError: SNS did not accept it.
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
            if code in _INVALID_TOKEN:
                raise MessageRefusedError(
                    "confirmation", f"SNS responded {error}; subscribe again unless a subscription is confirmed", 400
                ) from error
            raise _failed(error) from error
        except NoAnswerError as error:
            raise _failed(error) from error
        if not (subscription := answer.get("SubscriptionArn")):
            raise _failed("the response is not from SNS")
        _log.info("events.subscribed", topic=envelope.topic_arn, subscription=subscription)

    def unsubscribed(self, envelope: Envelope) -> None:
        """The subscription was deleted."""
        _log.error(
            "events.unsubscribed",
            topic=envelope.topic_arn,
            hint="no more events arrive from this topic: bounces go unnoticed, mail in doubt is settled by IN_DOUBT only;"
            " subscribe this endpoint again unless this was intended",
        )


def _failed(reason: Exception | str) -> MessageRefusedError:
    text = f"the subscription can't be confirmed ({reason}); our credentials need sns:ConfirmSubscription on the topic"
    return MessageRefusedError("confirmation", text, 503)
