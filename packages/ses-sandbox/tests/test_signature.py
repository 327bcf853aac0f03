"""The signature check agrees with botocore's own signer, whatever is in path, query and headers."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from multidict import CIMultiDict

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.signature import Credentials, SignatureCheck

HOST = "http://127.0.0.1:8080"


def signed(path: str, body: bytes = b"", region: str = "eu-west-1", service: str = "ses", **headers: str) -> Any:
    """What arrives at the server of a request signed by botocore."""
    request = AWSRequest("PUT", HOST + path, headers=headers, data=body)
    SigV4Auth(BotoCredentials("key", "secret", "session"), service, region).add_auth(request)
    arrived: CIMultiDict[str] = CIMultiDict(request.headers.items())
    arrived["Host"] = "127.0.0.1:8080"
    return SimpleNamespace(method="PUT", raw_path=path, headers=arrived)


def check(**changes: Any) -> SignatureCheck:
    return SignatureCheck(Credentials("key", "secret"), **{"region": None} | changes)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/email/account",
        "/v2/email/suppression/addresses/a%2Bb%40example.com",
        "/v2/email/suppression/addresses?Reason=BOUNCE&PageSize=5&Reason=COMPLAINT",
        "/?x=%20y&a",
    ],
)
def test_botocore_signatures_are_accepted(path: str) -> None:
    request = signed(path, b'{"a": 1}', **{"Content-Type": "application/json", "X-Spaces": "  a   b "})
    assert check().verify(request, b'{"a": 1}', "ses") == "eu-west-1"


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(AwsError, match="InvalidSignatureException"):
        check().verify(signed("/", b"x"), b"y", "ses")


@pytest.mark.parametrize(
    ("changes", "service"),
    [({}, "sns"), ({"region": "us-east-1"}, "ses"), ({"clock": lambda: 0.0}, "ses"), ({"clock": lambda: 9e9}, "ses")],
)
def test_a_foreign_scope_or_time_is_refused(changes: dict[str, Any], service: str) -> None:
    with pytest.raises(AwsError, match="InvalidSignatureException"):
        check(**changes).verify(signed("/", b""), b"", service)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "MissingAuthenticationTokenException"),
        ("Basic abc", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=key/20240101/r/ses, SignedHeaders=host, Signature=0", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256 Credential=key/20240101/r/ses/aws4_request, SignedHeaders=host", "IncompleteSignature"),
    ],
)
def test_a_malformed_authorization_is_refused(authorization: str, code: str) -> None:
    request = signed("/")
    request.headers["Authorization"] = authorization
    with pytest.raises(AwsError, match=code):
        check().verify(request, b"", "ses")
