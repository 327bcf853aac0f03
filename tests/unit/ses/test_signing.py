import calendar
from datetime import UTC, datetime
from unittest.mock import patch

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from email_consumer.ses.signing import RequestSigner

URL = "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"
KEYS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", min_size=1, max_size=60)
MIDNIGHT = calendar.timegm((2026, 3, 1, 0, 0, 0))


def botocore_headers(
    url: str, region: str, credentials: ReadOnlyCredentials, body: bytes, now: float
) -> dict[str, str]:
    request = AWSRequest("POST", url, headers={"Content-Type": "application/json"}, data=body)
    naive = datetime.fromtimestamp(int(now), UTC).replace(tzinfo=None)
    with patch.object(botocore.auth, "get_current_datetime", return_value=naive):
        botocore.auth.SigV4Auth(credentials, "ses", region).add_auth(request)
    return dict(request.headers)


def ours(signer: RequestSigner, credentials: ReadOnlyCredentials, body: bytes, now: float) -> dict[str, str]:
    headers = signer.headers(credentials, body, now).together()
    headers.pop("Host")  # botocore signs it without listing it among the request's headers
    return headers


@given(
    credentials=st.builds(ReadOnlyCredentials, KEYS, KEYS, st.none() | KEYS),
    url=st.sampled_from(
        [
            URL,
            "http://127.0.0.1:4579/v2/email/outbound-emails",
            "https://ses.example.com:443/v2/email/outbound-emails",
            "http://[::1]:8080/v2/email/outbound-emails",
            "https://Proxy.example.com/a%20path/~x/v2/email/outbound-emails",
        ]
    ),
    region=st.sampled_from(["eu-west-1", "ap-northeast-2", "us-gov-west-1"]),
    body=st.binary(max_size=200),
    now=st.floats(MIDNIGHT - 3, MIDNIGHT + 3) | st.floats(0, 4e9),
)
def test_signs_as_botocore_does(
    credentials: ReadOnlyCredentials, url: str, region: str, body: bytes, now: float
) -> None:
    signed = ours(RequestSigner(url=url, region=region), credentials, body, now)
    assert signed == botocore_headers(url, region, credentials, body, now)


def test_the_cached_key_follows_the_day_and_the_credentials() -> None:
    signer = RequestSigner(url=URL, region="eu-west-1")
    first, second = ReadOnlyCredentials("A", "one", None), ReadOnlyCredentials("A", "two", "token")
    for credentials in (first, second, first):
        for now in (MIDNIGHT - 1, MIDNIGHT, MIDNIGHT - 1, MIDNIGHT + 86_400):
            expected = botocore_headers(URL, "eu-west-1", credentials, b"{}", now)
            assert ours(signer, credentials, b"{}", now) == expected


def test_the_host_header_is_the_one_that_was_signed() -> None:
    signer = RequestSigner(url="http://127.0.0.1:4579/v2/email/outbound-emails", region="eu-west-1")
    assert signer.headers(ReadOnlyCredentials("A", "s", None), b"", 0.0).shared["Host"] == "127.0.0.1:4579"
