"""What every aioboto3 client has in common: a call ends in time, and its answer has a bound in bytes."""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, cast

import aiohttp
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from botocore.exceptions import ClientError, ReadTimeoutError

from email_consumer.aws.response import LargeBoundedResponse

UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading an answer ends in that lacks what AWS gives, or has it in another form: botocore checks neither."""


class NoAnswerError(Exception):
    """AWS did not answer, or something else did; the text says why."""


async def answered(call: Awaitable[Any], *, within: float) -> dict[str, Any]:
    """The answer to an operation of an aioboto3 client within this number of seconds, all attempts and credentials included.

    Raises:
        botocore.exceptions.ClientError: AWS refuses.
        NoAnswerError: it did not answer.
    """
    try:
        async with asyncio.timeout(within):
            answer: dict[str, Any] = await call
    except ClientError:
        raise
    except Exception as error:
        # The network's errors, those of each provider of credentials, and whatever botocore's parsers run into when
        # a proxy's page comes in place of the answer.
        raise NoAnswerError(str(error) or type(error).__name__) from error
    return answer


def server_time(answer: Mapping[str, Any]) -> float | None:
    """Unix seconds at which an answer (or an error's response) was written, cut to a whole one.

    None where its `Date` tells nothing: a proxy may take it off, or write it in its own way.
    """
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        parsed = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def client_config(*, connect: float, answer: float, attempts: int = 1, connections: int = 10) -> AioConfig:
    """For `aioboto3.Session.client`; an attempt ends within `connect` and `answer` seconds together."""
    return AioConfig(
        connect_timeout=connect,
        read_timeout=answer,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": attempts},
        http_session_cls=_BoundedSession,
    )


class _BoundedSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore is untyped
    """aiobotocore's own bounds the time between two bytes only, and an answer's size not at all."""

    def __init__(self, *, timeout: tuple[float, float], **options: Any) -> None:  # noqa: ANN401
        super().__init__(timeout=timeout, **options)
        self._whole = sum(timeout)

    async def send(self, request: Any) -> AioAWSResponse:  # noqa: ANN401
        try:
            async with asyncio.timeout(self._whole):
                return await super().send(request)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        session = cast("aiohttp.ClientSession", await super()._get_session(proxy_url))
        session._response_class = LargeBoundedResponse  # noqa: SLF001 - aiobotocore has no parameter for it
        return session
