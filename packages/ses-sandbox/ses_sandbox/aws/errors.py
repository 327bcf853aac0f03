"""How a request can fail: AWS errors with their HTTP statuses and texts, and what an injected fault does instead.

Source: the botocore service model of `sesv2` for the operation errors, the Signature Version 4 documentation for the
errors of the request guard, and texts of the real service where they are known.
"""

_SIGNATURE_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_PAUSED = (
    "Sending paused for this account. For more information, please check the inbox of the email address associated "
    "with your AWS account."
)
_SUSPENDED = "The message can't be sent because the account's ability to send email has been permanently restricted."

RATE_EXCEEDED = "Maximum sending rate exceeded."
QUOTA_EXCEEDED = "Daily message quota exceeded."

KNOWN_ERRORS: dict[str, tuple[int, str]] = {
    # of the operations
    "TooManyRequestsException": (429, RATE_EXCEEDED),
    "LimitExceededException": (400, "There are too many instances of the specified resource type."),
    "AccountSuspendedException": (400, _SUSPENDED),
    "SendingPausedException": (400, _PAUSED),
    "MessageRejected": (400, "The message can't be sent because it contains invalid content."),
    "MailFromDomainNotVerifiedException": (400, "The message can't be sent because the sending domain isn't verified."),
    "NotFoundException": (404, "The resource you attempted to access doesn't exist."),
    "AlreadyExistsException": (400, "The resource specified in your request already exists."),
    "BadRequestException": (400, "The input you provided is invalid."),
    "InvalidNextTokenException": (400, "The specified request includes an invalid or expired token."),
    # of the request guard
    "SerializationException": (400, "The request could not be read."),
    "MissingAuthenticationTokenException": (403, "Missing Authentication Token"),
    "IncompleteSignatureException": (400, "The request signature does not conform to AWS standards."),
    "InvalidSignatureException": (403, _SIGNATURE_MISMATCH),
    "UnrecognizedClientException": (403, "The security token included in the request is invalid."),
    "ExpiredTokenException": (403, "The security token included in the request is expired"),
    "AccessDeniedException": (403, "User is not authorized to perform this operation."),
    "UnknownOperationException": (404, "The requested operation is not recognized by the service."),
    "ThrottlingException": (400, "Rate exceeded"),
    "Throttling": (400, "Rate exceeded"),
    "InternalFailure": (500, "The request processing has failed because of an unknown error."),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
}
"""Error code → (HTTP status, default text)."""


class AwsError(Exception):
    """An operation ends in an AWS error; each protocol formats it differently."""

    def __init__(self, code: str, message: str | None = None, status: int | None = None) -> None:
        """Defaults come from `KNOWN_ERRORS`; an unknown code is a 400."""
        known_status, known_message = KNOWN_ERRORS.get(code, (400, code))
        self.code = code
        self.message = known_message if message is None else message
        self.status = known_status if status is None else status
        super().__init__(f"{self.code}: {self.message}")


class BareStatus(Exception):  # noqa: N818 - not an error of ours: a fault asked for it
    """An HTTP status without any AWS error, as a proxy in front of the service would answer."""

    def __init__(self, status: int) -> None:
        """`status` is the HTTP status."""
        self.status = status
        super().__init__(status)


class ConnectionCut(Exception):  # noqa: N818 - see BareStatus
    """Cut the connection without an answer."""
