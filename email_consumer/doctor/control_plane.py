"""SES and SNS calls other than sending, slow enough for SES, with errors in plain words."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aioboto3
from aiolimiter import AsyncLimiter
from botocore.exceptions import ClientError

from email_consumer.aws.client import NoAnswerError, answered, client_config, server_time
from email_consumer.ses.session import find_credentials

_CONNECT, _ANSWER = 4.0, 6.0
"""Seconds."""
_ABSENT = frozenset({"NotFound", "NotFoundException"})
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException"})
_BAD_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException"})
_BAD_CLOCK = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
_ABOUT_TIME = re.compile("Signature (expired|not yet current)")


class AwsError(Exception):
    """A call that did not answer what was asked; `str` says why, in plain words."""

    def __init__(self, text: str, fix: str, *, absent: bool = False, forbidden: bool = False) -> None:
        """`absent`: what was asked for is not there; `forbidden`: we may not ask, and know nothing."""
        super().__init__(text)
        self.fix = fix
        self.absent = absent
        self.forbidden = forbidden


@dataclass(frozen=True, slots=True)
class Clocks:
    """One moment by two clocks, in Unix seconds; AWS tells whole seconds only."""

    aws: float
    ours: float


class ControlPlane:
    """Made by `control_plane`."""

    def __init__(
        self, session: aioboto3.Session, stack: AsyncExitStack, endpoints: dict[str, str | None], per_second: float
    ) -> None:
        self._session = session
        self._stack = stack
        self._endpoints = endpoints
        self._clients: dict[tuple[str, str | None], Any] = {}
        self._limit = AsyncLimiter(1, 1 / per_second)
        self.clocks: Clocks | None = None
        """As of the latest answer, an error included."""

    async def ses(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Call SES v2, in our region.

        Raises:
            AwsError: there was no answer, or an error.
        """
        async with self._limit:  # SES allows one such call a second, for the whole account
            return await self._call("sesv2", None, operation, arguments)

    async def sns(self, region: str, operation: str, **arguments: object) -> dict[str, Any]:
        """Call SNS in a topic's region.

        Raises:
            AwsError: there was no answer, or an error.
        """
        return await self._call("sns", region, operation, arguments)

    async def _call(
        self, service: str, region: str | None, operation: str, arguments: dict[str, object]
    ) -> dict[str, Any]:
        try:
            client = await self._client(service, region)
            answer = await answered(getattr(client, operation)(**arguments), within=_CONNECT + _ANSWER)
        except ClientError as error:
            self._note_time(error.response)
            raise _aws_error(error, service, operation) from error
        except NoAnswerError as error:
            raise AwsError(
                f"{_NAMES[service]} can't be reached: {error}.",
                f"Check AWS_REGION, {_VARIABLES[service]}, the network and HTTPS_PROXY.",
            ) from error
        self._note_time(answer)
        return answer

    async def _client(self, service: str, region: str | None) -> Any:  # noqa: ANN401 - aioboto3 is untyped
        if (service, region) not in self._clients:
            opening = self._session.client(
                service,
                region_name=region,
                endpoint_url=self._endpoints[service],
                config=client_config(connect=_CONNECT, answer=_ANSWER),
            )
            self._clients[service, region] = await self._stack.enter_async_context(opening)
        return self._clients[service, region]

    def _note_time(self, answer: Any) -> None:  # noqa: ANN401 - botocore's form of an answer or an error
        at_aws = server_time(answer)
        if at_aws is not None:
            self.clocks = Clocks(at_aws, time.time())


_NAMES = {"sesv2": "SES", "sns": "SNS"}
_VARIABLES = {"sesv2": "AWS_ENDPOINT_URL_SESV2", "sns": "AWS_ENDPOINT_URL_SNS"}
_PREFIXES = {"sesv2": "ses", "sns": "sns"}


@asynccontextmanager
async def control_plane(
    *, region: str, ses_endpoint: str | None, sns_endpoint: str | None, per_second: float = 1.0
) -> AsyncIterator[ControlPlane]:
    """Find the credentials; an endpoint of None is AWS's own. `per_second` bounds the calls of SES.

    Raises:
        MissingCredentialsError: no credentials were found.
    """
    async with AsyncExitStack() as stack:
        session = aioboto3.Session(region_name=region)
        await find_credentials(session)
        yield ControlPlane(session, stack, {"sesv2": ses_endpoint, "sns": sns_endpoint}, per_second)


def _aws_error(error: ClientError, service: str, operation: str) -> AwsError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
    name = _NAMES[service]
    action = f"{_PREFIXES[service]}:{''.join(part.capitalize() for part in operation.split('_'))}"
    if code in _ABSENT:
        return AwsError(f"{name}: {text}", "", absent=True)
    if code in _FORBIDDEN:
        return AwsError(
            f"Our credentials lack the permission {action}.", f"Allow {action} in the IAM policy.", forbidden=True
        )
    if code in _EXPIRED:
        return AwsError(
            f"Our AWS credentials have expired ({text}).", "Renew them: AWS_SESSION_TOKEN, `aws sso login`, …"
        )
    if code in _UNKNOWN_KEY:
        return AwsError("AWS does not know our access key.", "Set AWS_ACCESS_KEY_ID to a key that is active.")
    if code in _BAD_CLOCK or (code in _BAD_SIGNATURE and _ABOUT_TIME.search(text)):
        return AwsError("AWS refuses what we sign: this machine's clock is off.", "Set the clock by NTP.")
    if code in _BAD_SIGNATURE:
        return AwsError("Our secret key does not belong to our access key.", "Set AWS_SECRET_ACCESS_KEY again.")
    return AwsError(f"{name} answers {action} with {code}: {text}", "Run doctor again; if it persists, see its text.")
