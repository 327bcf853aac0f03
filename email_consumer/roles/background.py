"""What runs beside everything else."""

from collections.abc import Callable, Coroutine

Background = tuple[str, Callable[[], Coroutine[None, None, None]]]
"""A task and its name."""
