"""A model of nats-server with JetStream, and a client that nats-py's JetStream classes run over unchanged.

`Server` holds streams and consumers; `Link` carries messages between it and one process; `SimulatedClient` is nats-py's
client with the socket taken out. What the model does is held against the real server in `tests/simulation/conformance`.
"""
