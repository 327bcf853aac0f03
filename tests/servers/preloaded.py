"""A process that has imported the program's modules, and forks to run it: importing takes longer than the rest of a start.

Each request comes as one packet on the control socket: arguments, directory and environment as JSON, and the descriptors
for stdin, stdout, stderr and status. The status is two lines: the process's id, then its exit code as `subprocess` has it.
"""

import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import time
from importlib import import_module

from tests.servers.aws_once import read_once

PROGRAM = "email_consumer"
PACKET = 2**17
"""Most bytes of a request."""
RUN_FIRST = "TEST_RUN_FIRST"
"""Variable that names a Python file to be run before the program is."""


def main(control: socket.socket) -> None:
    """Serve until the control socket is closed; what is forked runs the program, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest handles Ctrl-C, and closes the socket
    gc.disable()
    for module in pkgutil.walk_packages(import_module(PROGRAM).__path__, f"{PROGRAM}."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    read_once()
    gc.freeze()  # a collection in a fork would copy every page
    gc.enable()
    while request := socket.recv_fds(control, PACKET, 4):
        packet, descriptors, _, _ = request
        if not packet:
            return
        if os.fork() == 0:
            control.close()
            _keep(json.loads(packet), descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        _reap()


def _reap() -> None:
    """Let keepers that have ended go."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _keep(request: dict[str, object], descriptors: list[int]) -> None:
    """Fork the program, and report how it ended; returns only where it has ended as the program."""
    *standard, status = descriptors
    child = os.fork()
    if child == 0:
        os.close(status)
        _run(request, standard)
        return
    os.write(status, b"%d\n" % child)
    for descriptor in [*standard, 0, 1, 2]:
        os.close(descriptor)
    _, ended = os.waitpid(child, 0)
    os.write(status, b"%d\n" % os.waitstatus_to_exitcode(ended))
    os._exit(0)


def _run(request: dict[str, object], standard: list[int]) -> None:
    """As `python -m email_consumer` does."""
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(str(request["directory"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [PROGRAM, *request["arguments"]]  # type: ignore[misc]
    if first := os.environ.pop(RUN_FIRST, ""):
        runpy.run_path(first)
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
