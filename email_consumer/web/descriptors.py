"""File descriptors: each connection takes one, and HTTP clients must not exhaust those that sending needs."""

import resource

import structlog

_WANTED = 2**16
_OWN = 64 + 128
"""Files, NATS, SQS, AWS; and a burst of connections accepted before the first excess one is closed."""
_FEWEST, _ENOUGH = 16, 64

_log = structlog.get_logger(__name__)


def raise_descriptor_limit() -> int:
    """Raise the soft limit as far as allowed (it often is 1,024 with a far higher hard limit); the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft if soft != resource.RLIM_INFINITY else _WANTED


def connection_limit(limit: int, concurrency: int, maximum: int) -> int:
    """HTTP connections that may be open in addition to `concurrency` SES calls; at most `maximum`."""
    left = limit - concurrency - _OWN
    if left < _ENOUGH:
        needed = concurrency + _OWN + _ENOUGH
        hint = f"raise `ulimit -n` to at least {needed}, or lower CONCURRENCY_LIMIT"
        _log.warning("daemon.few_descriptors", limit=limit, needed=needed, hint=hint)
    return max(_FEWEST, min(maximum, left))
