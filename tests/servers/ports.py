"""Ports for servers of tests that have to be known before, or come back on the same one after a kill."""

import fcntl
import os
import secrets
import socket
import tempfile
from functools import cache
from pathlib import Path

_FIRST = 10_000
_EPHEMERAL = 32_768
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """So many different ones on loopback.

    The kernel gives none of them to anybody's connection, as it would its own choices: while the server of such a port is
    down, another test's client could have it, or its own client could connect to itself. No test that runs in parallel is
    given one of them, until this process ends.
    """
    found: list[int] = []
    while len(found) < count:
        port = _FIRST + secrets.randbelow(_below_ephemeral() - _FIRST)
        if port not in _given and _is_free(port) and _reserve(port):
            _given.add(port)
            found.append(port)
    return found


_given: set[int] = set()


@cache
def _reservations() -> int:
    """A file that the test processes of this user share: its byte N is locked by whoever has port N."""
    return os.open(Path(tempfile.gettempdir()) / f"test-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600)


def _reserve(port: int) -> bool:
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _below_ephemeral() -> int:
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _EPHEMERAL
    return end if end > 2 * _FIRST else 65_536


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
