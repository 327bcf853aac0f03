"""What botocore reads from files again for each session and client, read once in a process: half of a client's start."""

import functools
import ssl
from typing import Any

from botocore.loaders import JSONFileLoader, Loader
from certifi import where

_load_certificates = ssl.SSLContext.load_verify_locations


def read_once() -> None:
    """Change botocore in this process.

    The certificates of public authorities are left out: nothing that a test connects to has one of theirs.
    """
    read = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
    JSONFileLoader.load_file = lambda _, path: read(path)  # type: ignore[assignment, method-assign]
    look = Loader.list_available_services

    @functools.cache
    def listed(paths: tuple[str, ...], type_name: str) -> list[str]:
        found: list[str] = look(Loader(list(paths), include_default_search_paths=False), type_name)
        return found

    Loader.list_available_services = lambda self, type_name: list(listed(tuple(self.search_paths), type_name))  # type: ignore[method-assign]
    ssl.SSLContext.load_verify_locations = _but_public_ones  # type: ignore[assignment, method-assign]


def _but_public_ones(context: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
    if cafile != where():
        _load_certificates(context, cafile, capath, cadata)
