"""The hot path: one message, one signed request, one attempt.

botocore would retry SendEmail automatically, even after a timeout, and SES has no idempotency token: a retry of a request
that SES had accepted doubles the mail. So this client never retries; it says what is known about the one attempt.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from math import inf
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson
import structlog
from aiolimiter import AsyncLimiter
from botocore.credentials import ReadOnlyCredentials

from email_consumer.core.account import Account, AccountUnavailableError
from email_consumer.core.outcome import Held, InDoubt, Interrupted, SendResult, Sent
from email_consumer.message.address import normal_form, parse_address
from email_consumer.message.model import EmailMessage
from email_consumer.ses.errors import Ownership, ServiceError, classify
from email_consumer.ses.request import PATH, RequestWriter
from email_consumer.ses.signing import RequestSigner
from email_consumer.ses.transport import Answer, AnswerMissingError, NotWrittenError, Session, TooLateError

_log = structlog.get_logger(__name__)

_OK = int(HTTPStatus.OK)
_RENEW_PAUSE = 5.0
"""Seconds between two walks through the credential chain after AWS refused what it gave."""
_UNSIGNED = {"User-Agent": f"email-consumer/{version('email-consumer')}", "Accept-Encoding": "identity"}
_FRESH = 1.0
"""Seconds until the credentials are asked for again. Providers refresh them minutes before they expire."""
_MESSAGE_ID = re.compile(r"[!-~]{1,256}")


_Answered = TypeVar("_Answered")


class SesClient:
    """Sends through SES v2; an asynchronous context manager, to be used by one event loop."""

    def __init__(
        self,
        open_session: Callable[[], Awaitable[Session]],
        *,
        region: str,
        from_email: str,
        configuration_set: str | None,
        instance: str,
        delivery_limits: Sequence[tuple[int, str]] = (),
        timeout: float = 30.0,
    ) -> None:
        """`open_session` is called again when AWS refuses the credentials it gave.

        `timeout` bounds one attempt from its first to its last byte, in seconds.
        """
        self._open_session = open_session
        self._region = region
        self._timeout = timeout
        self._sender = parse_address(from_email).addr_spec
        self._writer = RequestWriter(
            from_email=from_email,
            configuration_set=configuration_set,
            instance=instance,
            delivery_limits=delivery_limits,
        )
        self._account_limit = AsyncLimiter(1, 1)
        self._renewing = asyncio.Lock()
        self._fresh: ReadOnlyCredentials | None = None
        self._fresh_until = -inf
        self._refused: ReadOnlyCredentials | None = None
        self._renewed_at = -inf

    async def __aenter__(self) -> Self:
        """Find credentials and endpoint; connections are opened when they are needed.

        Raises:
            email_consumer.aws.credentials.MissingCredentialsError: no credentials were found.
        """
        self._aws = await self._open_session()
        url = self._aws.endpoint + PATH
        self._signer = RequestSigner(url=url, region=self._region, unsigned=_UNSIGNED)
        self._transport = self._aws.open_transport(url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.close()
        await self._aws.close()

    @property
    def endpoint(self) -> str:
        """The URL of SES, as the settings or AWS's rules give it."""
        return self._aws.endpoint

    async def send(self, message: EmailMessage, deadline: float = inf) -> SendResult | Interrupted:
        """One attempt, or none after `deadline` (by `elapsed`). Cancelled before it ends, it leaves the mail in doubt."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        credentials = self._fresh
        if credentials is None or credentials == self._refused or loop.time() > self._fresh_until:
            try:
                async with asyncio.timeout_at(until - self._timeout / 2):  # and as long for SES at the least
                    credentials = await self._credentials()
            except Exception as error:  # noqa: BLE001 - each provider of the chain fails in its own way
                return Held(f"there are no valid AWS credentials ({_text_of(error)})")
            self._fresh, self._fresh_until = credentials, loop.time() + _FRESH
        body = self._writer.body(message)
        headers = self._signer.headers(credentials, body, time.time())
        try:
            answer = await self._transport.post(body, headers, until, deadline)
        except TooLateError:  # somebody else may hold the claim by now
            return Interrupted()
        except NotWrittenError as error:
            return Held(f"no connection to SES: {error}")  # as true of the next mail as of this one
        except AnswerMissingError as error:
            return InDoubt(f"the request was written, the answer is missing: {error}")
        result = self._result(message, answer)
        if isinstance(result, Held) and answer.status == HTTPStatus.FORBIDDEN:
            self._refused = credentials
        return result

    async def account(self) -> Account:
        """GetAccount, at most once a second, as SES wants it.

        While sending is held nothing else would find out that the credentials were replaced.

        Raises:
            AccountUnavailableError: there was no answer.
        """
        return await self._asked(lambda aws: aws.account())

    async def read(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Another operation that only reads, by botocore's names, within the same one a second.

        Raises:
            AccountUnavailableError: there was no answer.
        """
        return await self._asked(lambda aws: aws.read(operation, **arguments))

    async def _asked(self, call: Callable[[Session], Awaitable[_Answered]]) -> _Answered:
        async with self._account_limit:
            try:
                # botocore lets one caller at a time refresh them, so all mail waits for this one.
                async with asyncio.timeout(self._timeout / 2):
                    credentials = await self._credentials()
            except Exception as error:
                reason = f"there are no valid AWS credentials ({_text_of(error)})"
                raise AccountUnavailableError(reason, forbidden=False) from error
            try:
                return await call(self._aws)
            except AccountUnavailableError as error:
                if error.refused:
                    self._refused = credentials
                raise

    def _result(self, message: EmailMessage, answer: Answer) -> SendResult:
        if answer.status == _OK:
            return _accepted(answer.body)
        refusal = ServiceError.read(answer.status, answer.headers, answer.body)
        if refusal is None:
            return InDoubt(f"HTTP {answer.status} that SES did not write; check AWS_ENDPOINT_URL_SESV2 and the proxy")
        return classify(refusal, self._ownership(message))

    def _ownership(self, message: EmailMessage) -> Ownership:
        own_sender = message.from_email is None or normal_form(message.from_email) == normal_form(self._sender)
        return Ownership(
            self._sender if own_sender else None,
            own_configuration_set=message.configuration_set is None,
            tenant=message.tenant,
        )

    async def _credentials(self) -> ReadOnlyCredentials:
        credentials = await self._aws.credentials()
        if credentials == self._refused:
            await self._renew(credentials)
            credentials = await self._aws.credentials()
        return credentials

    async def _renew(self, refused: ReadOnlyCredentials) -> None:
        """Walk the chain again: files may hold new credentials that botocore, which read them once, doesn't know."""
        async with self._renewing:
            if self._refused != refused or time.monotonic() - self._renewed_at < _RENEW_PAUSE:
                return
            self._renewed_at = time.monotonic()
            old, self._aws = self._aws, await self._open_session()
            self._refused = None
            await old.close()
            _log.info("ses.credentials_read_again")


def _accepted(answer: bytes) -> SendResult:
    try:
        message_id = orjson.loads(answer)["MessageId"]
    except (ValueError, KeyError, TypeError):
        message_id = None
    if isinstance(message_id, str) and _MESSAGE_ID.fullmatch(message_id):
        return Sent(message_id)
    return InDoubt("HTTP 200 without the message id that SES gives")


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
