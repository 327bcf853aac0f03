"""What the settings alone tell."""

from collections.abc import Sequence

from email_consumer.doctor.finding import Finding, ok, warning

_SHORT = 16
"""Characters of a key that somebody might guess."""


def check_api_keys(keys: Sequence[str], *, public: bool) -> Finding:
    """API_KEY; `public` is whether strangers reach the sidecar, so that they might guess."""
    make = "Set API_KEY to something like the output of `openssl rand -hex 24`."
    if not keys:
        return warning("settings.api_key", "API_KEY is not set: statistics, cancellation and metrics refuse.", make)
    if public and any(len(key) < _SHORT for key in keys):
        return warning("settings.api_key", f"An API_KEY is shorter than {_SHORT} characters: it can be guessed.", make)
    return ok("settings.api_key", f"{len(keys)} API key{'s' if len(keys) > 1 else ''}.")
