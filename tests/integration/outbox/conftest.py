"""A real nats-server, and a path for the file."""

from tests.integration.replica.conftest import client, path, server

__all__ = ["client", "path", "server"]
