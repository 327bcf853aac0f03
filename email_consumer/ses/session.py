"""What botocore knows better than anyone: credentials, the endpoint, TLS and proxies; and all calls other than sending."""

import ssl
from typing import Any, Self

import aioboto3
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from email_consumer.aws.client import UNREADABLE, NoAnswerError, answered, client_config
from email_consumer.core.account import Account
from email_consumer.runtime.errors import OperatorError
from email_consumer.ses.account import AccountUnavailableError, read_account

_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})


class MissingCredentialsError(OperatorError):
    """The standard credential chain holds no AWS credentials."""

    def __init__(self) -> None:
        super().__init__(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with an IAM role"
            " (or start with --local to try it without AWS)"
        )


async def find_credentials(session: aioboto3.Session) -> Any:  # noqa: ANN401 - aioboto3 is untyped
    """Walk through the standard credential chain.

    Raises:
        MissingCredentialsError: no credentials were found.
    """
    try:
        credentials = await session.get_credentials()
    except BotoCoreError as error:
        raise MissingCredentialsError from error
    if credentials is None:
        raise MissingCredentialsError
    return credentials


class AwsSession:
    """One walk through the credential chain, and an aioboto3 client on it. Open it by `open`, end it by `close`."""

    def __init__(self, client: Any, credentials: Any, ca_bundle: str | None, timeout: float) -> None:  # noqa: ANN401 - aioboto3 is untyped
        """`timeout`: seconds for a call, the credentials it may have to fetch included."""
        self._client = client
        self._timeout = timeout
        self._credentials = credentials
        self._ca_bundle = ca_bundle

    @classmethod
    async def open(cls, *, region: str, endpoint: str | None, connect_timeout: float, read_timeout: float) -> Self:
        """Find the credentials. An `endpoint` of None is the region's own, or what AWS's variables and files name.

        Raises:
            MissingCredentialsError: no credentials were found.
        """
        session = aioboto3.Session(region_name=region)
        credentials = await find_credentials(session)
        config = client_config(connect=connect_timeout, answer=read_timeout)
        client = await session.client("sesv2", endpoint_url=endpoint, config=config).__aenter__()
        ca_bundle = session._session.get_config_variable("ca_bundle")  # noqa: SLF001 - no other way
        return cls(client, credentials, ca_bundle, connect_timeout + read_timeout)

    async def close(self) -> None:
        await self._client.__aexit__(None, None, None)

    @property
    def endpoint(self) -> str:
        """The URL that botocore's rules give for SES."""
        return str(self._client.meta.endpoint_url).rstrip("/")

    @property
    def proxy(self) -> str | None:
        """What HTTPS_PROXY, HTTP_PROXY and NO_PROXY say for the endpoint."""
        proxies: dict[str, str] = get_environ_proxies(self.endpoint)
        return proxies.get(self.endpoint.partition(":")[0])

    def tls(self) -> ssl.SSLContext:
        """Trust what botocore trusts: AWS_CA_BUNDLE, or else certifi's authorities."""
        return ssl.create_default_context(cafile=self._ca_bundle or get_cert_path(verify=True))

    async def credentials(self) -> ReadOnlyCredentials:
        """Those of this moment, refreshed when they are about to expire; only one caller at a time waits for that.

        Raises:
            Exception: whatever the provider in the chain raises when it can't refresh them.
        """
        frozen: ReadOnlyCredentials = await self._credentials.get_frozen_credentials()
        return frozen

    async def account(self) -> Account:
        """GetAccount; SES allows it once a second for the whole account.

        Raises:
            AccountUnavailableError: there was no answer.
        """
        try:
            return read_account(await answered(self._client.get_account(), within=self._timeout))
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise AccountUnavailableError(str(error), forbidden=code in _FORBIDDEN) from error
        except NoAnswerError as error:
            raise AccountUnavailableError(str(error), forbidden=False) from error
        except UNREADABLE as error:
            raise AccountUnavailableError("what answered is not SES", forbidden=False) from error
