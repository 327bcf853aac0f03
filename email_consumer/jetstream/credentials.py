"""How we log in to NATS: user and password, token, nkey, or a creds file."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import ParseResult, SplitResult, unquote, urlsplit

import nkeys  # type: ignore[import-untyped]
from nats.aio.client import Client
from nats.errors import InvalidUserCredentialsError

from email_consumer.jetstream.connection_errors import NatsConnectError

_JWT = re.compile(rb"BEGIN NATS USER JWT-+\s+(\S+)\s")
_SEED = re.compile(rb"BEGIN USER NKEY SEED-+\s+(\S+)\s")


@dataclass(frozen=True, slots=True)
class NatsCredentials:
    """At most one form is set; none where the server asks for none or the URL carries it."""

    user: str | None = None
    password: str | None = None
    token: str | None = None
    nkey_seed: str | None = None
    creds: Path | None = None

    def options(self) -> dict[str, Any]:
        """What nats-py's `connect` takes.

        Raises:
            NatsConnectError: a seed or file is not what it should be; secrets are not repeated.
        """
        if self.creds:
            return _creds_options(self.creds)
        if self.nkey_seed:
            try:
                nkeys.from_seed(bytearray(self.nkey_seed.strip().encode()))
            except (nkeys.NkeysError, ValueError):
                raise NatsConnectError("NATS_NKEY_SEED is not the seed of an nkey, which begins with SU") from None
            return {"nkeys_seed_str": self.nkey_seed.strip()}
        return {"user": self.user, "password": self.password, "token": self.token}


class UrlLogin:
    """User and password, or a token, from the URLs of servers.

    nats-py sends them as they stand there, percent signs and all, and to no server that it learned of from the cluster.
    """

    def __init__(self, client: Client, servers: Sequence[str]) -> None:
        logins = (urlsplit(url if "://" in url else f"nats://{url}") for url in servers)
        self._client = client
        self._first: SplitResult | ParseResult | None = next((url for url in logins if url.username), None)

    def options(self) -> dict[str, Any]:
        """What nats-py's `connect` takes; called at each connect."""
        if self._first is None:
            return {}
        if self._first.password is None:
            return {"token": self._user}
        return {"user": self._user, "password": self._password}

    def _user(self) -> str:
        return unquote(self._login().username or "")

    def _password(self) -> str:
        return unquote(self._login().password or "")

    def _login(self) -> SplitResult | ParseResult:
        assert self._first is not None  # noqa: S101 - or nobody would ask
        server = self._client._current_server  # noqa: SLF001 - nats-py has no other way to tell to whom it connects
        return server.uri if server and server.uri.username else self._first


def _creds_options(path: Path) -> dict[str, Any]:
    """The file is read again at each connect, since credentials that expire are renewed under the same name.

    nats-py's own reader never returns from a file without a JWT, and would freeze the whole process.
    """
    try:
        nkeys.from_seed(bytearray(_part(path, _SEED)))
        _part(path, _JWT)
    except OSError as error:
        raise NatsConnectError(f"NATS_CREDS can't be read: {error}") from error
    except (InvalidUserCredentialsError, nkeys.NkeysError, ValueError):
        raise NatsConnectError(f"NATS_CREDS: {path} is not a creds file with a user JWT and a seed") from None

    def sign(nonce: str) -> bytes:
        signature: bytes = nkeys.from_seed(bytearray(_part(path, _SEED))).sign(nonce.encode())
        return base64.b64encode(signature)

    return {"user_jwt_cb": lambda: _part(path, _JWT), "signature_cb": sign}


def _part(path: Path, pattern: re.Pattern[bytes]) -> bytes:
    match = pattern.search(path.read_bytes())
    if match is None:
        raise InvalidUserCredentialsError
    return match[1]
