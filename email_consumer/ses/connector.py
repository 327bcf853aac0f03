"""Opens connections to one endpoint: its addresses, TCP to the first that answers, TLS."""

import asyncio
import socket
import ssl
from collections import deque
from math import inf
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiohappyeyeballs

from email_consumer.ses.connection import Connection

_ADDRESSES_KEPT = 10.0
"""Seconds: hundreds of connections opened together ask the name server once."""
_NEXT_ADDRESS = 0.25
"""Seconds until the next address is tried in addition to one that does not answer (RFC 8305)."""
_DEFAULT_PORTS = {"http": 80, "https": 443}

_Address: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]


class Connector:
    """For `url`, http or https; `tls` is for the latter."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._tls = tls if parts.scheme == "https" else None
        self._addresses: deque[_Address] = deque()
        self._known_until = -inf

    async def connect(self, registry: set[Connection]) -> Connection:
        """A new connection, the server's certificate verified; in `registry` as long as it is open.

        Raises:
            Exception: it could not be opened: no address, nobody listens, no TLS.
        """
        found = await aiohappyeyeballs.start_connection(
            await self._resolved(), happy_eyeballs_delay=_NEXT_ADDRESS, interleave=1
        )
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(registry),
            sock=found,
            ssl=self._tls,
            server_hostname=self._host.rstrip(".") if self._tls else None,
        )
        # Not before: cancelled above, uvloop closes the connection without a call of connection_lost.
        if not connection.lost.is_set():
            registry.add(connection)
        return connection

    async def _resolved(self) -> list[_Address]:
        """Each time another of the addresses comes first."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._known_until:
            self._addresses = deque(await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM))
            self._known_until = loop.time() + _ADDRESSES_KEPT
        self._addresses.rotate(-1)
        return list(self._addresses)
