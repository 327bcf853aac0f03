"""What botocore knows better than anyone: credentials, the endpoint, TLS and proxies; and all calls other than sending."""

import ssl
from http import HTTPStatus
from typing import Any, Self

import aioboto3
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from email_consumer.aws.client import UNREADABLE, NoAnswerError, answered, client_config
from email_consumer.aws.credentials import find_credentials
from email_consumer.core.account import Account, AccountUnavailableError
from email_consumer.ses.account import read_account
from email_consumer.ses.aiohttp_transport import AiohttpTransport
from email_consumer.ses.direct_transport import DirectTransport
from email_consumer.ses.transport import Transport

_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})


class AwsSession:
    """One walk through the credential chain, and an aioboto3 client on it. Open it by `open`, end it by `close`."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - aioboto3 is untyped
        credentials: Any,  # noqa: ANN401
        *,
        ca_bundle: str | None,
        connections: int,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._ca_bundle = ca_bundle
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout

    @classmethod
    async def open(
        cls,
        *,
        region: str,
        endpoint: str | None,
        connections: int,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
    ) -> Self:
        """Find the credentials.

        Args:
            region: of SES.
            endpoint: None is the region's own, or what AWS's variables and files name.
            connections: of a transport, at most.
            connect_timeout: seconds for a connection; never more than half of `read_timeout`.
            read_timeout: seconds for an answer.

        Raises:
            MissingCredentialsError: no credentials were found.
        """
        connect_timeout = min(connect_timeout, read_timeout / 2)
        session = aioboto3.Session(region_name=region)
        credentials = await find_credentials(session)
        config = client_config(connect=connect_timeout, answer=read_timeout)
        client = await session.client("sesv2", endpoint_url=endpoint, config=config).__aenter__()
        ca_bundle = session._session.get_config_variable("ca_bundle")  # noqa: SLF001 - no other way
        return cls(
            client,
            credentials,
            ca_bundle=ca_bundle,
            connections=connections,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )

    async def close(self) -> None:
        await self._client.__aexit__(None, None, None)

    @property
    def endpoint(self) -> str:
        """The URL that botocore's rules give for SES."""
        return str(self._client.meta.endpoint_url).rstrip("/")

    def open_transport(self, url: str) -> Transport:
        """Straight to `url`, or over the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for it.

        It trusts what botocore trusts: AWS_CA_BUNDLE, or else certifi's authorities.
        """
        tls = ssl.create_default_context(cafile=self._ca_bundle or get_cert_path(verify=True))
        proxies: dict[str, str] = get_environ_proxies(url)
        if proxy := proxies.get(url.partition(":")[0]):
            return AiohttpTransport(
                url, connections=self._connections, connect_timeout=self._connect_timeout, tls=tls, proxy=proxy
            )
        return DirectTransport(url, connections=self._connections, connect_timeout=self._connect_timeout, tls=tls)

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
            return read_account(await self.read("get_account"))
        except UNREADABLE as error:
            raise AccountUnavailableError("what answered is not SES", forbidden=False) from error

    async def read(self, operation: str, **arguments: object) -> dict[str, Any]:
        """An operation that only reads, by botocore's names; SES allows one a second for the whole account.

        Raises:
            AccountUnavailableError: there was no answer.
        """
        try:
            call = getattr(self._client, operation)(**arguments)
            return await answered(call, within=self._connect_timeout + self._read_timeout)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            forbidden = code in _FORBIDDEN
            refused = status == HTTPStatus.FORBIDDEN and not forbidden
            raise AccountUnavailableError(str(error), forbidden=forbidden, refused=refused) from error
        except NoAnswerError as error:
            raise AccountUnavailableError(str(error), forbidden=False) from error
