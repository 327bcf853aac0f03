"""Looks up the hosts of endpoints in separate threads: names that nobody answers for keep only each other waiting."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS = 16
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class ThreadPoolResolver(AbstractResolver):
    """By the operating system. The default executor is left to the rest of the process, such as the connections to SES."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="webhook-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host.

        Raises:
            OSError: it has none, or nobody answered.
        """
        look_up = partial(
            socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=int(address[1]), family=kind, proto=protocol, flags=_NUMERIC
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Without waiting for look-ups that are under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)
