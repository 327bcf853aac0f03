"""Whether this process exports traces."""

from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec

import structlog

_log = structlog.get_logger(__name__)


@cache
def _is_installed() -> bool:
    with suppress(ModuleNotFoundError):
        return (
            find_spec("opentelemetry.sdk") is not None
            and find_spec("opentelemetry.exporter.otlp.proto.http") is not None
        )
    return False


def tracing_is_on(endpoint: str | None) -> bool:
    """`endpoint`: where traces go to, if they are wanted."""
    return endpoint is not None and _is_installed()


def tracing(endpoint: str | None, role: str) -> AbstractContextManager[None]:
    """Export traces during the block, if they are wanted. Without the extra `otel` a warning says so: mail matters more."""
    if tracing_is_on(endpoint):
        from email_consumer.observe.tracing import exporting  # noqa: PLC0415 - only its users should wait for it

        return exporting(version("email-consumer"), role)
    if endpoint:
        _log.warning("tracing.not_installed", hint="install email-consumer[otel], or unset OTEL_EXPORTER_OTLP_ENDPOINT")
    return nullcontext()
