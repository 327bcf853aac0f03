"""`email-consumer doctor` against faults that are really there, at nats-server and the sandbox."""
