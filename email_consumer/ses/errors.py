"""What an error of SES means for the mail: the one table.

Sources: the botocore service model of `sesv2`, AWS's list of errors common to all actions
(https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html) and texts as SES writes them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

import orjson

from email_consumer.core.outcome import TENANT_REFUSED, Failed, Held, Rejected, SendResult, TenantRefused, Throttled

_MAX_TEXT = 500
_ERRORS = range(400, 600)
_OUTAGE = 500
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class _Cause(Enum):
    MAIL = auto()
    THROTTLE = auto()
    SERVICE = auto()
    QUOTA = auto()
    CREDENTIALS = auto()
    PERMISSION = auto()
    CLOCK = auto()
    ACCOUNT = auto()
    IDENTITY = auto()
    MAIL_FROM = auto()
    CONFIGURATION_SET = auto()
    ENDPOINT = auto()


_CAUSES = {
    "MessageRejected": _Cause.MAIL,
    "BadRequestException": _Cause.MAIL,
    "ValidationException": _Cause.MAIL,
    "ValidationError": _Cause.MAIL,
    "SerializationException": _Cause.MAIL,
    "InvalidParameterValue": _Cause.MAIL,
    "RequestEntityTooLarge": _Cause.MAIL,
    "TooManyRequestsException": _Cause.THROTTLE,
    "LimitExceededException": _Cause.THROTTLE,
    "ThrottlingException": _Cause.THROTTLE,
    "Throttling": _Cause.THROTTLE,
    "ThrottledException": _Cause.THROTTLE,
    "RequestThrottled": _Cause.THROTTLE,
    "RequestThrottledException": _Cause.THROTTLE,
    "RequestLimitExceeded": _Cause.THROTTLE,
    "SlowDown": _Cause.THROTTLE,
    "InternalFailure": _Cause.SERVICE,
    "InternalServiceErrorException": _Cause.SERVICE,
    "InternalServiceError": _Cause.SERVICE,
    "InternalServerError": _Cause.SERVICE,
    "ServiceUnavailable": _Cause.SERVICE,
    "ServiceUnavailableException": _Cause.SERVICE,
    "ConcurrentModificationException": _Cause.SERVICE,
    "ConflictException": _Cause.SERVICE,
    "RequestTimeout": _Cause.SERVICE,
    "RequestTimeoutException": _Cause.SERVICE,
    "ExpiredToken": _Cause.CREDENTIALS,
    "ExpiredTokenException": _Cause.CREDENTIALS,
    "IncompleteSignature": _Cause.CREDENTIALS,
    "IncompleteSignatureException": _Cause.CREDENTIALS,
    "InvalidClientTokenId": _Cause.CREDENTIALS,
    "InvalidSignatureException": _Cause.CREDENTIALS,
    "MissingAuthenticationToken": _Cause.CREDENTIALS,
    "MissingAuthenticationTokenException": _Cause.CREDENTIALS,
    "SignatureDoesNotMatch": _Cause.CREDENTIALS,
    "UnrecognizedClientException": _Cause.CREDENTIALS,
    "AccessDenied": _Cause.PERMISSION,
    "AccessDeniedException": _Cause.PERMISSION,
    "NotAuthorized": _Cause.PERMISSION,
    "RequestExpired": _Cause.CLOCK,
    "RequestInTheFuture": _Cause.CLOCK,
    "RequestTimeTooSkewed": _Cause.CLOCK,
    "AccountSuspendedException": _Cause.ACCOUNT,
    "OptInRequired": _Cause.ACCOUNT,
    "SendingPausedException": _Cause.ACCOUNT,
    "MailFromDomainNotVerified": _Cause.MAIL_FROM,
    "MailFromDomainNotVerifiedException": _Cause.MAIL_FROM,
    # SendEmail as this program calls it names one resource only.
    "NotFoundException": _Cause.CONFIGURATION_SET,
    "ConfigurationSetDoesNotExist": _Cause.CONFIGURATION_SET,
    "ConfigurationSetDoesNotExistException": _Cause.CONFIGURATION_SET,
    "ConfigurationSetSendingPausedException": _Cause.CONFIGURATION_SET,
    "UnknownOperationException": _Cause.ENDPOINT,
}

_OURS = {
    _Cause.QUOTA: "SES's quota of 24 hours is used up",
    _Cause.CREDENTIALS: "AWS does not accept our credentials",
    _Cause.PERMISSION: "our credentials lack the permission ses:SendEmail",
    _Cause.CLOCK: "this machine's clock is off and AWS refuses what it signs; set it by NTP",
    _Cause.ACCOUNT: "SES does not let our account send",
    _Cause.IDENTITY: "SES has not verified our sender FROM_EMAIL, or we may not use it",
    _Cause.MAIL_FROM: "the MAIL FROM domain of our sender FROM_EMAIL is not verified",
    _Cause.CONFIGURATION_SET: "SES does not let us use our CONFIGURATION_SET",
    _Cause.ENDPOINT: "what answers at the endpoint is not SES; check AWS_ENDPOINT_URL_SESV2 and the proxy",
}

# One code, several causes: the text, in lower case, tells which.
_REFINED: tuple[tuple[set[_Cause], re.Pattern[str], _Cause], ...] = (
    ({_Cause.MAIL}, re.compile("not verified"), _Cause.IDENTITY),
    (
        {_Cause.MAIL, _Cause.ACCOUNT},
        re.compile("configuration set .*(not exist|paused|disabled)"),
        _Cause.CONFIGURATION_SET,
    ),
    ({_Cause.MAIL}, re.compile("sending (is )?paused|sending suspended"), _Cause.ACCOUNT),
    ({_Cause.THROTTLE}, re.compile("daily"), _Cause.QUOTA),
    ({_Cause.CREDENTIALS}, re.compile("signature expired|signature not yet current"), _Cause.CLOCK),
    ({_Cause.PERMISSION}, re.compile(":identity/"), _Cause.IDENTITY),
    ({_Cause.PERMISSION}, re.compile(":configuration-set/"), _Cause.CONFIGURATION_SET),
)

# What SES says of a tenant that it does not send for: "Tenant x for AwsAccountId … not found.", "Tenant not associated with
# resources […]." were seen; the text for a paused tenant is not documented.
_OF_TENANT = re.compile(
    r"\btenant\b.*\b(not associated|not found|not exist|paused|disabled|suspended)\b"
    r"|\b(not associated|paused|disabled|suspended)\b.*\btenant\b"
)
_UNNAMED = ("NotFoundException", "SendingPausedException")
_OF_ACCOUNT_OR_SET = re.compile("account|configuration.set")


@dataclass(frozen=True, slots=True)
class ServiceError:
    """An answer of SES other than success."""

    status: int
    code: str
    text: str

    @classmethod
    def read(cls, status: int, headers: Mapping[str, str], body: bytes) -> "ServiceError | None":
        """As AWS's REST-JSON protocol writes it: the code in a header or the body, the text in the body.

        None if SES did not write it: a proxy or a mesh answers as it likes, also after SES has accepted the mail.
        SES's own answers name the request and say what is wrong by a code.
        """
        if status not in _ERRORS or not headers.get("x-amzn-requestid"):
            return None
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        fields = document if isinstance(document, dict) else {}
        code = headers.get("x-amzn-errortype") or fields.get("__type") or fields.get("code")
        text = fields.get("message") or fields.get("Message") or ""
        name = _CODE.fullmatch(code.partition(":")[0].rpartition("#")[2]) if isinstance(code, str) else None
        return cls(status, name[0], " ".join(str(text).split())[:_MAX_TEXT]) if name else None

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.code, self.text)))


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose the names in a request are: a fault of the program's own holds the queue, one of the mail's only the mail."""

    own_sender: str | None
    """The program's own sender (`local@domain`), if the mail goes out under it; None if the mail brought another."""
    own_configuration_set: bool
    """False if the mail brought its own."""
    tenant: str | None = None
    """The mail's tenant. What SES says of it is neither the program's fault nor the mail's."""

    def answers_for(self, cause: _Cause, text: str) -> bool:
        """Whether the fault is the program's own."""
        match cause:
            case _Cause.IDENTITY:
                return self._sender_named_in(text)
            case _Cause.MAIL_FROM:
                return self.own_sender is not None
            case _Cause.CONFIGURATION_SET:
                return self.own_configuration_set
        return True

    def _sender_named_in(self, text: str) -> bool:
        if self.own_sender is None:
            return False
        domain = self.own_sender.rpartition("@")[2]
        parents = (domain[start:] for start in (0, *(dot.end() for dot in re.finditer(r"\.", domain))))
        identities = "|".join(map(re.escape, parents))
        ours = rf"(?<![\w.+-]){re.escape(self.own_sender)}(?![\w.-])|:identity/({identities})(?![\w.@-])"
        return re.search(ours, text, re.IGNORECASE) is not None


def classify(error: ServiceError, ownership: Ownership) -> SendResult:
    """Decide what becomes of the mail. SES certainly did not accept it."""
    if ownership.tenant and _is_of_tenant(error):
        return TenantRefused(ownership.tenant, f"{TENANT_REFUSED}{ownership.tenant} ({error})")
    cause = _cause(error)
    match cause:
        case _Cause.MAIL:
            return Rejected(str(error))
        case _Cause.SERVICE:
            return Failed(str(error), outage=error.status >= _OUTAGE)
        case _Cause.THROTTLE:
            return Throttled(str(error))
    if not ownership.answers_for(cause, error.text):
        return Rejected(str(error))
    return Held(f"{_OURS[cause]} ({error})")


def _is_of_tenant(error: ServiceError) -> bool:
    """Whether it refuses the mail's tenant. `NotFoundException` and `SendingPausedException` need not name what they mean."""
    text = error.text.lower()
    if error.code in _UNNAMED and not _OF_ACCOUNT_OR_SET.search(text):
        return True
    return error.status < _OUTAGE and _OF_TENANT.search(text) is not None


def _cause(error: ServiceError) -> _Cause:
    cause = _CAUSES.get(error.code)
    if cause is None:
        return _cause_by_status(error)
    text = error.text.lower()
    return next((refined for causes, pattern, refined in _REFINED if cause in causes and pattern.search(text)), cause)


def _cause_by_status(error: ServiceError) -> _Cause:  # for codes that the table doesn't know
    match error.status:
        case 401 | 403:
            return _Cause.PERMISSION
        case 413:
            return _Cause.MAIL
        case 429:
            return _Cause.THROTTLE
    # Everything else unknown is tried again and becomes a dead letter once its attempts are used up: it can be
    # replayed, so nothing is lost. Holding the queue for it could hold it for ever because of one mail, and
    # rejecting it at once would empty the queue into the dead letters because of an error that may pass.
    return _Cause.SERVICE
