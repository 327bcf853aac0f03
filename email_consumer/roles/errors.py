"""Why the daemon can't start or go on."""


class DaemonError(Exception):
    """The text tells in plain words what to mend."""


class ConnectionLostError(Exception):
    """The NATS server will have no more to do with us; a restart may help, waiting won't."""
