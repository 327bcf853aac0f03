"""The daemon that the clients speak to."""

from tests.acceptance.sidecar.conftest import api

__all__ = ["api"]
