"""File descriptors: each connection takes one, and strangers must not take those that mail is sent by."""

import resource

import structlog

_WANTED = 2**16
_OWN = 64 + 128
"""Files, NATS, SQS, AWS; and connections that are accepted in a burst, before the first too many is closed."""
_FEWEST, _ENOUGH = 16, 64

_log = structlog.get_logger(__name__)


def raise_limit() -> int:
    """As far as the system lets us; many start programs with 1,024, and allow far more. How many there are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft if soft != resource.RLIM_INFINITY else _WANTED


def left_for_callers(limit: int, concurrency: int, most: int) -> int:
    """HTTP connections that may be open beside `concurrency` calls to SES; `most` are ever useful."""
    left = limit - concurrency - _OWN
    if left < _ENOUGH:
        needed = concurrency + _OWN + _ENOUGH
        hint = f"raise `ulimit -n` to at least {needed}, or lower CONCURRENCY_LIMIT"
        _log.warning("daemon.few_descriptors", limit=limit, needed=needed, hint=hint)
    return max(_FEWEST, min(most, left))
