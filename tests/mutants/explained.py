"""Changes that nothing has to notice, and why."""

EXPLAINED: dict[str, str] = {}
"""By a mutant's name."""
