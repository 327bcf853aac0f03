"""Errors to Sentry, without anything about the people who write or get the mail.

What leaves is chosen here, field by field, not filtered out of what the SDK collects: its own integration for logging
would send whole messages, and the one for asyncio wraps every task of the hot path.
"""

import contextlib
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.types import Event, Hint

_FLUSH_SECONDS = 2.0
_READ, _LONGEST = 1_000, 300
_REMOVED = "[removed]"
_PRIVATE_FIELD = re.compile(
    r"addr|authori|bcc|body|cc$|content|cookie|creds|dsn|email|from|html|key|mail$|passw|payload|recipient|reply"
    r"|secret|seed|subject|text|^to$|token|topic",
    re.IGNORECASE,
)
_AWS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", re.IGNORECASE)
_PART = re.compile(
    r"(?P<before_user>://)[^\s/]*@"  # user and password in a URL
    r"|(?P<before_query>[?&])[\w-]+=[^\s&\"']+"  # the query of a URL: tokens are there
    r"|(?P<bearer>Bearer\s+\S+)"
    r"|(?P<word>[^\s<>\"'(),;:=/?&]+)",
    re.IGNORECASE,
)


@contextlib.contextmanager
def reporting(dsn: str, *, release: str, environment: str) -> Iterator[None]:
    """Report every log at error or above, with the lines before it as breadcrumbs, and what ends the block.

    At the end it flushes for two seconds at most. To be entered after `observe.logging.configure`, which resets the list of handlers.
    """
    sentry_sdk.init(
        dsn,
        release=release,
        environment=environment,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[DedupeIntegration()],
        include_local_variables=False,  # a mail may be among them
        max_request_body_size="never",
        max_breadcrumbs=50,
        before_send=_without_private_text,
    )
    handler = _SentryHandler(logging.INFO)
    logging.getLogger().addHandler(handler)
    try:
        yield
    except Exception as error:
        sentry_sdk.capture_exception(error)
        raise
    finally:
        logging.getLogger().removeHandler(handler)
        sentry_sdk.get_client().close(timeout=_FLUSH_SECONDS)
        sentry_sdk.get_global_scope().set_client(None)


class _SentryHandler(logging.Handler):
    """Groups by logger and event name (and the exception's type), never by text, which differs each time."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("sentry_sdk", "urllib3")):
            return  # its own transport: reporting it would never end
        fields = record.msg if isinstance(record.msg, dict) else {}
        name = scrubbed(str(fields.get("event", record.msg)).partition("\n")[0])
        level: Any = record.levelname.lower()
        data = _public(fields)
        if record.levelno < logging.ERROR:
            sentry_sdk.add_breadcrumb(category=record.name, level=level, message=name, data=data)
            return
        error = _exception(fields.get("exc_info") or record.exc_info)
        with sentry_sdk.new_scope() as scope:
            scope.set_level("fatal" if level == "critical" else level)
            scope.set_tag("event", name)
            scope.set_tag("logger", record.name)
            scope.set_context("fields", data)
            scope.fingerprint = [record.name, name, *([type(error).__name__] if error else [])]
            if error:
                scope.capture_exception(error)
            else:
                scope.capture_message(name)


def scrubbed(text: str) -> str:
    """Without addresses, credentials and the queries of URLs; at most 300 characters."""
    return _PART.sub(_scrubbed, _AWS_KEY.sub(_REMOVED, text[:_READ]))[:_LONGEST]


def _scrubbed(part: re.Match[str]) -> str:
    match part.lastgroup:
        case "before_user":
            return f"://{_REMOVED}@"
        case "before_query":
            return f"{part['before_query']}{_REMOVED}"
        case "word" if "@" not in part[0]:
            return part[0]
    return _REMOVED


def _public(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as they are, text scrubbed; nothing else, for who knows what its repr would tell."""
    return {
        name: scrubbed(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if isinstance(value, (str, int, float))
        and name not in {"event", "exc_info"}
        and not _PRIVATE_FIELD.search(name)
    }


def _exception(exc_info: object) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
    return None


def _without_private_text(event: Event, _: Hint) -> Event:
    for error in event.get("exception", {}).get("values", []):
        error["value"] = scrubbed(str(error.get("value") or ""))
    return event
