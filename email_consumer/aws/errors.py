"""What AWS answers in place of what was asked, in plain words."""

import re

from botocore.exceptions import ClientError

_ABSENT = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException"})
_BAD_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException"})
REFUSED_CREDENTIALS = _EXPIRED | _UNKNOWN_KEY | _BAD_SIGNATURE
"""Codes with which AWS refuses the credentials themselves, and not what they may do."""
_BAD_CLOCK = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
_ABOUT_TIME = re.compile("Signature (expired|not yet current)")


class AwsError(Exception):
    """A call that did not answer what was asked; `str` says why, in plain words."""

    def __init__(self, text: str, fix: str, *, absent: bool = False, forbidden: bool = False) -> None:
        """`absent`: what was asked for is not there; `forbidden`: we may not ask, and know nothing."""
        super().__init__(text)
        self.fix = fix
        self.absent = absent
        self.forbidden = forbidden


def service_name(service: str) -> str:
    """As people say it."""
    return {"sesv2": "SES"}.get(service, service.upper())


def permission(service: str, operation: str) -> str:
    """The action of IAM policies that allows an operation, both by botocore's names."""
    prefix = {"sesv2": "ses"}.get(service, service)
    return f"{prefix}:{''.join(part.capitalize() for part in operation.split('_'))}"


def error_of(error: ClientError, service: str, operation: str) -> AwsError:
    """The error that AWS answered an operation with."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
    name, action = service_name(service), permission(service, operation)
    if code in _ABSENT:
        return AwsError(f"{name}: {text}", "", absent=True)
    if code in _FORBIDDEN:
        return AwsError(
            f"Our credentials lack the permission {action}.", f"Allow {action} in the IAM policy.", forbidden=True
        )
    if code in _EXPIRED:
        return AwsError(
            f"Our AWS credentials have expired ({text}).", "Renew them: AWS_SESSION_TOKEN, `aws sso login`, …"
        )
    if code in _UNKNOWN_KEY:
        return AwsError("AWS does not know our access key.", "Set AWS_ACCESS_KEY_ID to a key that is active.")
    if code in _BAD_CLOCK or (code in _BAD_SIGNATURE and _ABOUT_TIME.search(text)):
        return AwsError("AWS refuses what we sign: this machine's clock is off.", "Set the clock by NTP.")
    if code in _BAD_SIGNATURE:
        return AwsError("Our secret key does not belong to our access key.", "Set AWS_SECRET_ACCESS_KEY again.")
    return AwsError(f"{name} answers {action} with {code}: {text}", "Run it again; if it persists, see its text.")
