"""What the client needs of AWS: a session, and over it a transport for SendEmail.

Everything that crosses the process boundary on the way to SES is in these two protocols; what a request says and what
its answer means is decided in `client`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from botocore.credentials import ReadOnlyCredentials

from email_consumer.core.account import Account


class NotWrittenError(Exception):
    """Not a byte of the request was written; the text says why."""


class TooLateError(NotWrittenError):
    """Not a byte of the request was written, since its deadline had passed."""


class AnswerMissingError(Exception):
    """The request may have been written, and there is no whole answer to it; the text says why."""


class Headers(NamedTuple):
    """The headers of a request."""

    shared: Mapping[str, str]
    """Those of all requests of a second, as one object."""
    authorization: str
    """The one that is each request's own."""

    def together(self) -> dict[str, str]:
        """By name."""
        return {**self.shared, "Authorization": self.authorization}


def check_headers(*values: str) -> None:
    """Before they are written, whatever the credentials in them are.

    Raises:
        NotWrittenError: one holds a control character, such as a line break, after which it would be another header.
    """
    if not "".join(values).isprintable():
        raise NotWrittenError("a header would hold a control character; check the AWS credentials")


class Answer(NamedTuple):
    """Whatever answered, which need not be SES."""

    status: int
    headers: Mapping[str, str]
    """Found by their names in lower case."""
    body: bytes
    """With every encoding undone."""


class Transport(Protocol):
    """Writes requests to the URL of SendEmail, each of them once."""

    async def post(self, body: bytes, headers: Headers, until: float, deadline: float) -> Answer:
        """One attempt, which ends by `until` (event-loop clock). Cancelled, the request may have been written.

        It is written by `deadline` (by `runtime.clock.elapsed`), or not at all: checked right before the first byte, since
        waiting for a connection takes time, and the process may be stopped and woken up again meanwhile.

        Raises:
            TooLateError: the deadline had passed.
            NotWrittenError: the request surely never left.
            AnswerMissingError: it may have been written.
        """

    async def close(self) -> None:
        """Close all connections."""


class Session(Protocol):
    """Credentials, and what else AWS's settings decide."""

    @property
    def endpoint(self) -> str:
        """The URL of SES, without a slash at the end."""

    def open_transport(self, url: str) -> Transport:
        """A transport to `url`; connections are opened when they are needed."""

    async def credentials(self) -> ReadOnlyCredentials:
        """Those of this moment.

        Raises:
            Exception: they can't be refreshed; each provider of credentials fails in its own way.
        """

    async def account(self) -> Account:
        """GetAccount; SES allows it once a second for the whole account.

        Raises:
            email_consumer.core.account.AccountUnavailableError: there was no answer.
        """

    async def read(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Another operation that only reads, by botocore's names.

        Raises:
            email_consumer.core.account.AccountUnavailableError: there was no answer.
        """

    async def close(self) -> None:
        """End what the session itself has opened; transports stay open."""
