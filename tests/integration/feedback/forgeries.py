"""Messages that SNS did not sign, or not so, and names of certificates that are not its own."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.factories import event
from tests.integration.feedback.harness import KEY
from tests.unit.feedback.sns_key import CERTIFICATE_URL, TOPIC, SnsKey, body

STRANGER = SnsKey()
Fields = dict[str, str]

HOST = "sns.eu-west-1.amazonaws.com"
NAME = "SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136"
OTHER_HOSTS = [
    "evil.example",
    "sns.eu-west-1.amazonaws.com.evil.example",
    "evil.example:443",
    "sns.eu-west-1.amazonaws.com:0",
    "sns.eu-west-1.amazonaws.com:",
    "sns.cn-north-1.amazonaws.com.cn",
    "sns.eu-west-1.api.aws",
    "sns-fips.us-east-1.amazonaws.com",
    "sns.eu-west-1.amazonaws.com,evil.example",
    "sns.eu-west-1.amazonaws.com:443",
    "sns.eu-west-1.amazonaws.com:8443",
    "sns.us-east-1.amazonaws.com",
    "sns.amazonaws.com",
    "sns.eu-west-1.amazonaws.com.cn",
    "sns.eu-west-1.amazonaws.com.",
    "SNS.eu-west-1.amazonaws.com",
    "s3.eu-west-1.amazonaws.com",
    "amazonaws.com",
    "sns.eu-west-1.amazonaws.com@evil.example",
    "user@sns.eu-west-1.amazonaws.com",
    "user:word@sns.eu-west-1.amazonaws.com",
    "evil.example#sns.eu-west-1.amazonaws.com",
    "evil.example?sns.eu-west-1.amazonaws.com",
    "evil.example\\\\sns.eu-west-1.amazonaws.com",
    "sns.eu-west-1.amazonaws.com%00.evil.example",
    "sns.eu-west-1.amazonaws.com%2eevil.example",
    "127.0.0.1",
    "localhost",
    "[::1]",
    "169.254.169.254",
    "0",
    "2130706433",
    "sns-eu-west-1.amazonaws.com",
    "sns.eu-west-1.amazonaws.co",
    "xsns.eu-west-1.amazonaws.com",
    "sns.eu-west-1.amazonaws.com/../evil.example sns.eu-west-1.amazonaws.com:0 sns.eu-west-1.amazonaws.com: sns.cn-north-1.amazonaws.com.cn",
    "sns..eu-west-1.amazonaws.com",
    "sns.eu-west-1.amazonaws.com.amazonaws.com",
]
OTHER_SCHEMES = [
    "http",
    "HTTPS",
    "ftp",
    "file",
    "gopher",
    "ws",
    "wss",
    "data",
    "javascript",
    "https+unix",
    "jar",
    "",
    " https",
]
OTHER_PATHS = (
    f"/ /{NAME} /{NAME}.PEM /{NAME}.pem/ /{NAME}.pem?x=1 /{NAME}.pem#x /{NAME}.pem;x /{NAME}.pem%00 /{NAME}.pem.exe "
    f"//{NAME}.pem /x/{NAME}.pem /../{NAME}.pem /./{NAME}.pem /%2e%2e/{NAME}.pem /SimpleNotificationService-.pem "
    f"/SimpleNotificationService.pem /SimpleNotificationService-XYZ.pem /SimpleNotificationService-ABCDEF.pem "
    f"/SimpleNotificationService-{'a' * 65}.pem /SimpleNotificationService-{'a' * 5000}.pem /simplenotificationservice-aa.pem "
    f"/{NAME}.pem%0a /SimpleNotificationService-aa.pem.pem /SimpleNotificationService-aa%2f.pem /bucket/SimpleNotificationService-aa.pem"
).split()
OTHER_TEXTS = [
    "",
    "x",
    "//",
    "https:",
    "https://",
    "\u0000",
    "http://[",
    "https://\ud55c\uad6d",
    CERTIFICATE_URL + "\n",
    CERTIFICATE_URL + " ",
    "\n" + CERTIFICATE_URL,
    CERTIFICATE_URL + "\u0000",
    CERTIFICATE_URL * 2,
    CERTIFICATE_URL.replace(".pem", ".pem\r\nHost: x"),
    CERTIFICATE_URL.replace("9c", "\u0669c"),
    CERTIFICATE_URL.replace("a", "\uff41"),
    "x" * 100_000,
]

URLS = [
    *(f"https://{host}/{NAME}.pem" for host in OTHER_HOSTS),
    *(f"{scheme}://{HOST}/{NAME}.pem" for scheme in OTHER_SCHEMES),
    *(f"https://{HOST}{path}" for path in OTHER_PATHS),
    *OTHER_TEXTS,
]


def by_a_stranger(message: str, number: int) -> Fields:
    return STRANGER.notification(message, version=str(1 + number % 2))


def invented_name(message: str, number: int) -> Fields:
    url = f"https://{HOST}/SimpleNotificationService-{number:032x}.pem"
    return by_a_stranger(message, number) | {"SigningCertURL": url}


def changed_afterwards(message: str, number: int) -> Fields:
    fields = KEY.notification(message)
    later = (datetime.now(UTC) + timedelta(seconds=number)).isoformat()
    name = ("Message", "MessageId", "Timestamp", "Subject")[number % 4]
    return fields | {
        name: {"Message": message + " ", "MessageId": str(uuid4()), "Timestamp": later, "Subject": "x"}[name]
    }


def odd_signature(message: str, number: int) -> Fields:
    odd = [
        "",
        "!",
        "ü" * 344,
        "=" * 344,
        "AAAA",
        base64.b64encode(bytes(number)).decode(),
        "A" * 100_000,
        "\u0000",
        "A\nA=",
        "٣",
    ]
    return KEY.notification(message) | {"Signature": odd[number % len(odd)]}


def odd_version(message: str, number: int) -> Fields:
    odd = ["0", "3", "", "1 ", "\u0661", "one", "-1", "1.0", "2\n", "9" * 5_000]
    return KEY.notification(message) | {"SignatureVersion": odd[number % len(odd)]}


def other_topic(message: str, number: int) -> Fields:
    odd = [
        TOPIC + "x",
        TOPIC.upper(),
        TOPIC.replace("123456789012", "000000000000"),
        "",
        "*",
        "arn:aws:sns:*",
        "x" * 10_000,
        TOPIC + "\n",
        TOPIC.replace("eu-west-1", "us-east-1"),
        "\x1b[2J" + TOPIC,
    ]
    return STRANGER.notification(message, TopicArn=odd[number % len(odd)])


def of_another_kind(message: str, number: int) -> Fields:
    kind = ("SubscriptionConfirmation", "UnsubscribeConfirmation")[number % 2]
    return STRANGER.confirmation(kind, Message=message, SubscribeURL="http://127.0.0.1:1/")


def long_ago(message: str, number: int) -> Fields:
    moment = (datetime.now(UTC) - timedelta(days=31 + number)).isoformat(timespec="milliseconds")
    return KEY.notification(message, Timestamp=moment)


KINDS = (
    by_a_stranger,
    invented_name,
    changed_afterwards,
    odd_signature,
    odd_version,
    other_topic,
    of_another_kind,
    long_ago,
)


def forged() -> Iterator[bytes]:
    """More than 370, each of which would suppress the customer if it were believed."""
    bounce = event("Bounce", to=["victim@example.com"])
    for number in range(42):
        for kind in KINDS:
            yield body(kind(bounce, number))
    genuine = KEY.notification(bounce)
    odd: list[object] = [1, True, [], {}, ["x"], "", 1e400]
    for name in genuine:  # a field missing, or of another type
        others = {key: value for key, value in genuine.items() if key != name}
        yield json.dumps(others).encode()
        yield from (json.dumps({**others, name: value}).encode() for value in odd)
    yield from (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b"\xff\xfe",
        b"x" * 200_000,
        bounce.encode(),
    )
