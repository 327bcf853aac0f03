import botocore.session
import pytest

from email_consumer.core.outcome import Failed, Held, Rejected, SendResult, TenantRefused, Throttled
from email_consumer.ses.errors import Ownership, ServiceError, classify

OURS = Ownership("shop@mail.example.com", own_configuration_set=True)
THEIRS = Ownership(None, own_configuration_set=False)
UNVERIFIED = "Email address is not verified. The following identities failed the check in region EU-WEST-1: "
DENIED = (
    "User `arn:aws:iam::1:user/x' is not authorized to perform `ses:SendEmail' on resource `arn:aws:ses:eu-west-1:1:"
)
TENANTS = Ownership("shop@mail.example.com", own_configuration_set=True, tenant="acme")
PAUSED = "Sending paused for this account. For more information, please check the inbox"


def result(status: int, code: str, text: str = "", ownership: Ownership = OURS) -> SendResult:
    return classify(ServiceError(status, code, text), ownership)


# Each error of the botocore model of SendEmail: (about our own names, about the mail's own)
MODEL = {
    "TooManyRequestsException": (Throttled, Throttled),
    "LimitExceededException": (Throttled, Throttled),
    "AccountSuspendedException": (Held, Held),
    "SendingPausedException": (Held, Held),
    "MessageRejected": (Rejected, Rejected),
    "MailFromDomainNotVerifiedException": (Held, Rejected),
    "NotFoundException": (Held, Rejected),
    "BadRequestException": (Rejected, Rejected),
}


def test_every_error_of_the_model_has_its_place() -> None:
    shapes = botocore.session.Session().get_service_model("sesv2").operation_model("SendEmail").error_shapes
    statuses = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in shapes}
    assert statuses.keys() == MODEL.keys()
    for name, (ours, theirs) in MODEL.items():
        assert type(result(statuses[name], name)) is ours, name
        assert type(result(statuses[name], name, ownership=THEIRS)) is theirs, name


@pytest.mark.parametrize(
    ("status", "code", "text", "expected"),
    [
        (400, "Throttling", "Maximum sending rate exceeded.", Throttled),
        (400, "ThrottlingException", "Rate exceeded", Throttled),
        (400, "LimitExceededException", "Daily message quota exceeded.", Held),
        (429, "TooManyRequestsException", "Daily message quota exceeded.", Held),
        (500, "InternalFailure", "", Failed),
        (503, "ServiceUnavailable", "", Failed),
        (504, "SomeException", "", Failed),
        (429, "SomeException", "", Throttled),
        (403, "SomeException", "", Held),
        (413, "SomeException", "", Rejected),
        (403, "ExpiredTokenException", "The security token included in the request is expired", Held),
        (403, "UnrecognizedClientException", "The security token included in the request is invalid.", Held),
        (403, "InvalidClientTokenId", "", Held),
        (403, "MissingAuthenticationTokenException", "Missing Authentication Token", Held),
        (403, "AccessDeniedException", "User is not authorized to perform this operation.", Held),
        (400, "IncompleteSignatureException", "", Held),
        (400, "MessageRejected", PAUSED, Held),
        (400, "MessageRejected", UNVERIFIED + "Shop <Shop@mail.example.com>", Held),
        (400, "MessageRejected", UNVERIFIED + "arn:aws:ses:eu-west-1:1:identity/example.com", Held),
        (400, "MessageRejected", UNVERIFIED + "someone@example.com", Rejected),
        (400, "MessageRejected", UNVERIFIED + "big-shop@mail.example.com", Rejected),
        (400, "MessageRejected", UNVERIFIED + "shop@mail.example.com.br", Rejected),
        (403, "AccessDeniedException", DENIED + "identity/mail.example.com'", Held),
        (403, "AccessDeniedException", DENIED + "identity/other.example'", Rejected),
        (403, "AccessDeniedException", DENIED + "identity/someone@example.com'", Rejected),
        (403, "AccessDeniedException", DENIED + "configuration-set/events'", Held),
        (404, "NotFoundException", "Configuration set <events> does not exist.", Held),
        (400, "BadRequestException", "Configuration set <events> does not exist.", Held),
        (404, "UnknownOperationException", "", Held),
        (400, "ValidationException", "", Rejected),
    ],
)
def test_errors_as_they_are_seen(status: int, code: str, text: str, expected: type[SendResult]) -> None:
    assert type(result(status, code, text)) is expected


RESOURCE = "arn:aws:ses:eu-west-1:1:"


@pytest.mark.parametrize(
    ("status", "code", "text", "expected"),
    [
        (404, "NotFoundException", "Tenant acme for AwsAccountId 1 not found.", TenantRefused),
        (404, "NotFoundException", "The resource you attempted to access doesn't exist.", TenantRefused),
        (404, "NotFoundException", "", TenantRefused),
        (403, "AccessDeniedException", f"Tenant not associated with resources [{RESOURCE}identity/mail.example.com].", TenantRefused),
        (403, "AccessDeniedException", f"Tenant not associated with resources [{RESOURCE}configuration-set/events].", TenantRefused),
        (400, "BadRequestException", "The identity is not associated with the tenant acme.", TenantRefused),
        (400, "SendingPausedException", "Sending is paused for tenant acme in this Region", TenantRefused),
        (400, "SendingPausedException", "", TenantRefused),
        (400, "MessageRejected", "The tenant's sending status is DISABLED", TenantRefused),
        (404, "NotFoundException", "Configuration set <events> does not exist.", Held),
        (400, "SendingPausedException", PAUSED, Held),
        (400, "SendingPausedException", "Sending paused for configuration set <events>.", Held),
        (400, "MessageRejected", PAUSED, Held),
        (400, "AccountSuspendedException", "", Held),
        (403, "AccessDeniedException", DENIED + "identity/mail.example.com'", Held),
        (400, "BadRequestException", "Illegal address: tenant@example.com", Rejected),
        (429, "TooManyRequestsException", "Maximum sending rate exceeded.", Throttled),
        (500, "InternalFailure", "The tenant store is suspended", Failed),
    ],
)  # fmt: skip
def test_what_ses_says_of_a_tenant(status: int, code: str, text: str, expected: type[SendResult]) -> None:
    answer = result(status, code, text, TENANTS)
    assert type(answer) is expected
    assert type(result(status, code, text)) is not TenantRefused
    if isinstance(answer, TenantRefused):
        assert answer.tenant == "acme"
        assert code in answer.reason


@pytest.mark.parametrize("code", ["InvalidSignatureException", "SignatureDoesNotMatch"])
@pytest.mark.parametrize(
    "text",
    [
        "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z",
        "Signature not yet current: 20260101T001000Z is still later than 20260101T000500Z",
    ],
)
def test_a_clock_that_is_off_is_called_so(code: str, text: str) -> None:
    for answer in (result(403, code, text), result(403, "RequestTimeTooSkewed", "")):
        assert isinstance(answer, Held)
        assert "clock" in answer.reason
    other = result(403, code, "The request signature we calculated does not match")
    assert isinstance(other, Held)
    assert "clock" not in other.reason


def test_the_mails_own_names_never_hold_the_queue() -> None:
    for status, code, text in [
        (400, "MessageRejected", UNVERIFIED + "other@example.com"),
        (403, "AccessDeniedException", DENIED + "identity/other.example'"),
        (404, "NotFoundException", "Configuration set <other> does not exist."),
        (400, "SendingPausedException", "Sending through configuration set other is disabled"),
    ]:
        assert isinstance(result(status, code, text, THEIRS), Rejected), code


def test_an_unknown_refusal_is_tried_again_and_never_holds_the_queue() -> None:
    assert result(400, "BrandNewException", "?") == Failed("BrandNewException: ?")


def test_an_outage_is_known_by_the_status() -> None:
    assert result(503, "BrandNewException") == Failed("BrandNewException", outage=True)
    assert result(400, "RequestTimeout") == Failed("RequestTimeout")


NAMED = {"x-amzn-requestid": "8a7c"}


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        (
            {"x-amzn-errortype": "MessageRejected:http://internal.amazon.com/coral/com.amazonaws.ses/"},
            b'{"message": "no\\n good"}',
            ServiceError(400, "MessageRejected", "no good"),
        ),
        (
            {},
            b'{"__type": "com.amazonaws.ses#BadRequestException", "Message": "bad"}',
            ServiceError(400, "BadRequestException", "bad"),
        ),
        ({"x-amzn-errortype": "Throttling"}, b"<html>", ServiceError(400, "Throttling", "")),
    ],
)
def test_reads_every_form_of_an_error(headers: dict[str, str], body: bytes, expected: ServiceError) -> None:
    assert ServiceError.read(400, NAMED | headers, body) == expected


@pytest.mark.parametrize(
    "status", [100, 101, 201, 204, 304, 307, 400, 403, 404, 407, 413, 418, 429, 500, 502, 503, 504, 599, 600]
)
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({}, b"<html>upstream connect error</html>"),
        (NAMED, b""),
        (NAMED, b'{"message": "no healthy upstream"}'),
        (NAMED, b"[1]"),
        (NAMED, b'{"code": 503}'),
        (NAMED, b'{"__type": ""}'),
        (NAMED, b'{"__type": "two words"}'),
        ({}, b'{"__type": "ServiceUnavailable"}'),
        ({}, b'{"code": "ServiceUnavailable", "message": "from a mesh"}'),
        ({"x-amzn-errortype": "ServiceUnavailable"}, b""),
        ({"x-amzn-requestid": ""}, b'{"__type": "ServiceUnavailable"}'),
    ],
)
def test_what_ses_did_not_write_is_no_error_of_ses(status: int, headers: dict[str, str], body: bytes) -> None:
    assert ServiceError.read(status, headers, body) is None


@pytest.mark.parametrize("status", [200, 302])
def test_an_error_has_the_status_of_one(status: int) -> None:
    assert ServiceError.read(status, NAMED | {"x-amzn-errortype": "Throttling"}, b"{}") is None
