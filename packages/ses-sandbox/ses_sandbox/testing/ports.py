"""A port for a server that returns on the same one after a kill."""

import secrets
import socket
from pathlib import Path

_FIRST = 10_000
_EPHEMERAL = 32_768
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def stable_port() -> int:
    """A free port on loopback that the kernel assigns to no connection, so that nothing takes it during a restart."""
    while True:
        port = _FIRST + secrets.randbelow(_below_ephemeral() - _FIRST)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def _below_ephemeral() -> int:
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _EPHEMERAL
    return end if end > 2 * _FIRST else 65_536
