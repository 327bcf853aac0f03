"""The API key of local mode: random, and the same at each start with the same data."""

import re
import secrets
from pathlib import Path

from email_consumer.runtime import private_files

_KEY = re.compile(r"[A-Za-z0-9_-]{32}")


def keep_key(data: Path) -> str:
    """The key in the data directory, created if missing."""
    path = data / "api-key"
    known = path.read_text(errors="replace").strip() if path.exists() else ""
    if _KEY.fullmatch(known):
        private_files.restrict(path)
        return known
    made = secrets.token_urlsafe(24)
    private_files.write(path, made.encode())
    return made
