"""Names of variables that look like ours and are not: misspelled, or two names of one setting with different values."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from email_consumer.settings import variables

_ALIKE = 0.85
"""Of difflib's ratio. `SES_RATE_PER_SECOND` has 0.91 to `SES_RATE_PER_SEC`; what orchestrators inject stays below."""
_STANDARD = ("AWS_ENDPOINT_URL", "OTEL_")
"""Beginnings of names that AWS's and OpenTelemetry's own libraries read."""


def misspelled(names: Iterable[str]) -> dict[str, str]:
    """Each name that is close to a variable of ours, with that variable."""
    known = [name for choices in variables().values() for name in choices]
    strangers = (name for name in names if name not in known and not name.startswith(_STANDARD))
    nearest = ((name, get_close_matches(name.upper(), known, n=1, cutoff=_ALIKE)) for name in strangers)
    return {name: close[0] for name, close in nearest if close}


def contradictions(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of names of one setting that are set to different values: the one that counts, and the one that doesn't."""
    pairs = []
    for choices in variables().values():
        first, *others = [name for name in choices if environ.get(name)] or [""]
        pairs += [(first, other) for other in others if environ[other] != environ[first]]
    return pairs
