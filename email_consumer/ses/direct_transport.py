"""The transport straight to the endpoint: HTTP/1.1 for one kind of request, at a fraction of what aiohttp's costs."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from email_consumer.runtime.clock import elapsed
from email_consumer.ses.connections import Connections
from email_consumer.ses.connector import Connector
from email_consumer.ses.transport import Answer, Headers, TooLateError, check_headers


class DirectTransport:
    """Implements `Transport`."""

    def __init__(self, url: str, *, connections: int, connect_timeout: float, tls: ssl.SSLContext) -> None:
        """`connect_timeout`: seconds for waiting for one of the `connections` and opening it."""
        self._first_line = f"POST {urlsplit(url).path} HTTP/1.1\r\n"
        self._shared: Mapping[str, str] = {}
        self._start = b""
        """Of a head with the headers `_shared`."""
        self._connections = Connections(Connector(url, tls).connect, limit=connections, connect_timeout=connect_timeout)

    async def post(self, body: bytes, headers: Headers, until: float, deadline: float) -> Answer:
        head = self._head(headers, len(body))
        connection = await self._connections.take(until)
        try:
            if elapsed() > deadline:
                raise TooLateError
            return await connection.exchange(head, body, until)
        finally:
            self._connections.give_back(connection)

    async def close(self) -> None:
        await self._connections.close()

    def _head(self, headers: Headers, length: int) -> bytes:
        if headers.shared is not self._shared:
            check_headers(*headers.shared.values())
            fields = "".join([f"{name}: {value}\r\n" for name, value in headers.shared.items()])
            self._shared, self._start = headers.shared, f"{self._first_line}{fields}".encode()
        check_headers(headers.authorization)
        authorization = headers.authorization.encode()
        return b"%bAuthorization: %b\r\nContent-Length: %d\r\n\r\n" % (self._start, authorization, length)
