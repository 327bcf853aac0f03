"""Calls of AWS other than sending, slow enough for SES, with errors in plain words."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aioboto3
import orjson
from aiolimiter import AsyncLimiter
from botocore.exceptions import ClientError

from email_consumer.aws.client import UNREADABLE, NoAnswerError, answered, client_config, server_time
from email_consumer.aws.credentials import find_credentials
from email_consumer.aws.errors import AwsError, error_of, service_name

_CONNECT, _ANSWER = 4.0, 6.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """One moment by two clocks, in Unix seconds; AWS tells whole seconds only."""

    aws: float
    ours: float


class ControlPlane:
    """Made by `control_plane`."""

    def __init__(
        self,
        session: aioboto3.Session,
        stack: AsyncExitStack,
        endpoints: Mapping[str, str | None],
        per_second: float,
        attempts: int,
    ) -> None:
        self._session = session
        self._stack = stack
        self._endpoints = endpoints
        self._attempts = attempts
        self._clients: dict[tuple[str, str | None], Any] = {}
        self._limit = AsyncLimiter(1, 1 / per_second)
        self.clocks: Clocks | None = None
        """As of the latest answer, an error included."""

    async def ses(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call SES v2, in our region.

        Raises:
            AwsError: there was no answer, or an error.
        """
        return await self.call("sesv2", operation, **arguments)

    async def sns(self, region: str, operation: str, **arguments: object) -> dict[str, Any]:
        """Call SNS in a topic's region.

        Raises:
            AwsError: there was no answer, or an error.
        """
        return await self._call("sns", region, operation, arguments)

    async def call(self, service: str, operation: str, **arguments: object) -> dict[str, Any]:
        """Call a service by botocore's names, such as `sqs` and `create_queue`, in our region.

        Raises:
            AwsError: there was no answer, or an error.
        """
        if service != "sesv2":
            return await self._call(service, None, operation, arguments)
        async with self._limit:  # SES allows one such call a second, for the whole account
            return await self._call(service, None, operation, arguments)

    async def _call(
        self, service: str, region: str | None, operation: str, arguments: dict[str, object]
    ) -> dict[str, Any]:
        try:
            client = await self._client(service, region)
            within = (_CONNECT + _ANSWER) * self._attempts
            answer = await answered(getattr(client, operation)(**arguments), within=within)
        except ClientError as error:
            self._note_time(error.response)
            raise error_of(error, service, operation) from error
        except NoAnswerError as error:
            raise AwsError(
                f"{service_name(service)} can't be reached: {error}.",
                f"Check AWS_REGION, AWS_ENDPOINT_URL_{service.upper()}, the network and HTTPS_PROXY.",
            ) from error
        self._note_time(answer)
        return answer

    async def _client(self, service: str, region: str | None) -> Any:  # noqa: ANN401 - aioboto3 is untyped
        if (service, region) not in self._clients:
            opening = self._session.client(
                service,
                region_name=region,
                endpoint_url=self._endpoints.get(service),
                config=client_config(connect=_CONNECT, answer=_ANSWER, attempts=self._attempts),
            )
            client = await self._stack.enter_async_context(opening)
            client.meta.events.register("after-call.sesv2.GetEmailIdentity", _keep_signing_zone)
            self._clients[service, region] = client
        return self._clients[service, region]

    def _note_time(self, answer: Any) -> None:  # noqa: ANN401 - botocore's form of an answer or an error
        at_aws = server_time(answer)
        if at_aws is not None:
            self.clocks = Clocks(at_aws, time.time())


async def _keep_signing_zone(http_response: Any, parsed: dict[str, Any], **_: object) -> None:  # noqa: ANN401
    """Keep a field that the service model of the pinned botocore doesn't have yet."""
    with suppress(*UNREADABLE):
        attributes = orjson.loads(await http_response.content)["DkimAttributes"]
        parsed["DkimAttributes"]["SigningHostedZone"] = attributes["SigningHostedZone"]


@asynccontextmanager
async def control_plane(
    *,
    region: str,
    ses_endpoint: str | None = None,
    sns_endpoint: str | None = None,
    sqs_endpoint: str | None = None,
    per_second: float = 1.0,
    attempts: int = 1,
) -> AsyncIterator[ControlPlane]:
    """Find the credentials; an endpoint of None is AWS's own.

    Args:
        region: of all services, unless a call names another.
        ses_endpoint: of SES, as the next two of SNS and SQS; other services have botocore's variables.
        sns_endpoint: see `ses_endpoint`.
        sqs_endpoint: see `ses_endpoint`.
        per_second: bounds the calls of SES.
        attempts: at a call that is throttled or fails on AWS's side.

    Raises:
        MissingCredentialsError: no credentials were found.
    """
    async with AsyncExitStack() as stack:
        session = aioboto3.Session(region_name=region)
        await find_credentials(session)
        endpoints = {"sesv2": ses_endpoint, "sns": sns_endpoint, "sqs": sqs_endpoint}
        yield ControlPlane(session, stack, endpoints, per_second, attempts)
