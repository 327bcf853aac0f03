"""Local mode: a real nats-server and the sandbox, started beside the daemon and ended with it."""
