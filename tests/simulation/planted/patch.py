"""How a fault is planted."""

from typing import Any

Patch = tuple[Any, str, Any]
"""What is replaced, where, by what."""
