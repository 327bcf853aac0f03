"""Local mode: a real nats-server and the sandbox, started and stopped together with the daemon."""
