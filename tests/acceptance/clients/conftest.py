"""The daemon that the clients speak to."""

from tests.acceptance.api.conftest import api

__all__ = ["api"]
