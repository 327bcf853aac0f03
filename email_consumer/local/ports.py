"""Free ports on this machine."""

import socket


def free_port(preferred: int = 0) -> int:
    """`preferred` if nobody listens there (on any interface), else one that the system chooses."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise OSError("this machine has no free port")
