"""Ports that have to be known before anyone listens on them."""

import socket


def free_ports(count: int) -> list[int]:
    """So many different ones on loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
