"""Which messages of SNS are trusted, with real RSA keys; what is refused, and that nothing is fetched for it."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from email_consumer.sns.certificates import Certificates
from email_consumer.sns.envelope import MAX_BODY, parse
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.sns.verifier import Verifier
from tests.unit.feedback.pocket import Pocket
from tests.unit.feedback.sns_key import CERTIFICATE_URL, TOPIC, SnsKey, body

KEY = SnsKey()
SANDBOX_TOPIC = "arn:aws:sns:eu-west-1:000000000000:ses-events"


class Receiver:
    """Verifies with the certificate of `KEY`, and notes what was fetched."""

    def __init__(self, *topics: str, sandbox: SnsKey | None = None) -> None:
        self.fetched: list[str] = []
        certificate = sandbox.certificate if sandbox else None
        self._verifier = Verifier(topics, Certificates(self._download, Pocket()), certificate)

    async def take(self, fields: dict[str, str], type_header: str | None = None) -> None:
        await self._verifier.verify(parse(body(fields), type_header))

    async def refuse(self, fields: dict[str, str], type_header: str | None = None) -> MessageRefusedError:
        with pytest.raises(MessageRefusedError) as caught:
            await self.take(fields, type_header)
        return caught.value

    async def _download(self, url: str) -> bytes:
        self.fetched.append(url)
        return KEY.pem


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"])
async def test_both_versions_of_the_signature_are_good(kind: str, version: str) -> None:
    fields = KEY.notification(version=version) if kind == "Notification" else KEY.confirmation(kind, version=version)
    receiver = Receiver(TOPIC)
    await receiver.take(fields, kind)
    assert receiver.fetched == [CERTIFICATE_URL]


async def test_a_notification_without_a_subject_is_good() -> None:
    await Receiver(TOPIC).take(KEY.notification(Subject=None))


async def test_one_download_serves_many_messages() -> None:
    receiver = Receiver(TOPIC)
    for _ in range(3):
        await receiver.take(KEY.notification())
    assert receiver.fetched == [CERTIFICATE_URL]


FOREIGN_ID = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "change",
    [
        {"Message": '{"eventType":"Send"}'},
        {"MessageId": FOREIGN_ID},
        {"Subject": "Another"},
        {"Timestamp": "2026-01-01T00:00:00.000Z"},
        {"Signature": "AAAA"},
        {"Signature": "no base64!"},
    ],
)
async def test_any_changed_field_breaks_a_notifications_signature(change: dict[str, str], version: str) -> None:
    refusal = await Receiver(TOPIC).refuse(KEY.notification(version=version) | change)
    assert (refusal.cause, refusal.status) == ("signature", 403)


@pytest.mark.parametrize("change", [{"Message": "x"}, {"Token": "x"}, {"SubscribeURL": "https://evil.example"}])
async def test_any_changed_field_breaks_a_confirmations_signature(change: dict[str, str]) -> None:
    assert (await Receiver(TOPIC).refuse(KEY.confirmation() | change)).cause == "signature"


async def test_an_added_or_removed_subject_breaks_the_signature() -> None:
    assert (await Receiver(TOPIC).refuse(KEY.notification(Subject=None) | {"Subject": "x"})).cause == "signature"
    without = {name: value for name, value in KEY.notification().items() if name != "Subject"}
    assert (await Receiver(TOPIC).refuse(without)).cause == "signature"


async def test_another_type_breaks_the_signature() -> None:
    fields = KEY.confirmation("UnsubscribeConfirmation") | {"Type": "SubscriptionConfirmation"}
    assert (await Receiver(TOPIC).refuse(fields)).cause == "signature"


@pytest.mark.parametrize("version", ["", "0", "3", "02"])
async def test_other_versions_are_refused(version: str) -> None:
    assert (await Receiver(TOPIC).refuse(KEY.notification() | {"SignatureVersion": version})).cause == "signature"


async def test_sha256_can_not_be_passed_off_as_sha1_or_the_other_way_round() -> None:
    assert (
        await Receiver(TOPIC).refuse(KEY.notification(version="2") | {"SignatureVersion": "1"})
    ).cause == "signature"
    assert (
        await Receiver(TOPIC).refuse(KEY.notification(version="1") | {"SignatureVersion": "2"})
    ).cause == "signature"


async def test_someone_elses_key_is_refused() -> None:
    assert (await Receiver(TOPIC).refuse(SnsKey().notification())).cause == "signature"


@pytest.mark.parametrize(
    ("topics", "arn", "words"),
    [
        ((), TOPIC, "SNS_TOPIC_ARNS is empty"),
        ((TOPIC,), TOPIC + "x", "is not in SNS_TOPIC_ARNS"),
        ((TOPIC,), TOPIC.replace("123456789012", "999999999999"), "is not in SNS_TOPIC_ARNS"),
        ((TOPIC,), TOPIC.replace("eu-west-1", "us-east-1"), "is not in SNS_TOPIC_ARNS"),
    ],
)
async def test_a_foreign_topic_is_refused_before_anything_is_fetched(
    topics: tuple[str, ...], arn: str, words: str
) -> None:
    receiver = Receiver(*topics)
    refusal = await receiver.refuse(KEY.notification(TopicArn=arn))
    assert (refusal.cause, refusal.status, receiver.fetched) == ("topic", 403, [])
    assert words in str(refusal)


PATH = "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"


@pytest.mark.parametrize(
    "url",
    [
        f"http://sns.eu-west-1.amazonaws.com{PATH}",
        f"https://sns.us-east-1.amazonaws.com{PATH}",
        f"https://sns.eu-west-1.amazonaws.com.evil.example{PATH}",
        f"https://sns.eu-west-1.amazonaws.com.cn{PATH}",
        f"https://sns.eu-west-1.amazonaws.com@evil.example{PATH}",
        f"https://user@sns.eu-west-1.amazonaws.com{PATH}",
        f"https://sns.eu-west-1.amazonaws.com:444{PATH}",
        f"https://evil.example/sns.eu-west-1.amazonaws.com{PATH}",
        f"https://SNS.eu-west-1.amazonaws.com{PATH}",
        f"https://sns.eu-west-1.amazonaws.com/bucket{PATH}",
        f"https://sns.eu-west-1.amazonaws.com/..{PATH}",
        f"https://sns.eu-west-1.amazonaws.com{PATH}?x=1",
        f"https://sns.eu-west-1.amazonaws.com{PATH}#x",
        f"https://sns.eu-west-1.amazonaws.com{PATH}\n",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-xyz.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-.pem",
        "https://snsxeu-west-1.amazonaws.com" + PATH,
        "file:///etc/passwd",
        "",
    ],
)
async def test_a_certificate_elsewhere_is_refused_and_not_fetched(url: str) -> None:
    receiver = Receiver(TOPIC)
    refusal = await receiver.refuse(KEY.notification() | {"SigningCertURL": url})
    assert (refusal.cause, refusal.status, receiver.fetched) == ("certificate url", 403, [])


async def test_china_has_a_separate_host() -> None:
    topic = "arn:aws-cn:sns:cn-north-1:123456789012:ses-events"
    url = f"https://sns.cn-north-1.amazonaws.com.cn{PATH}"
    await Receiver(topic).take(KEY.notification(TopicArn=topic) | {"SigningCertURL": url})


async def test_the_sandboxs_topic_is_trusted_by_its_own_certificate_and_nothing_is_fetched() -> None:
    receiver = Receiver(SANDBOX_TOPIC, TOPIC, sandbox=KEY)
    await receiver.take(KEY.notification(TopicArn=SANDBOX_TOPIC))
    assert receiver.fetched == []


async def test_without_the_sandbox_its_topic_is_refused_and_nothing_is_fetched() -> None:
    receiver = Receiver(SANDBOX_TOPIC)
    refusal = await receiver.refuse(KEY.notification(TopicArn=SANDBOX_TOPIC))
    assert (refusal.cause, receiver.fetched) == ("sandbox", [])


async def test_the_sandboxs_certificate_is_not_good_for_any_other_topic() -> None:
    sandbox = SnsKey()
    receiver = Receiver(SANDBOX_TOPIC, TOPIC, sandbox=sandbox)
    assert (await receiver.refuse(sandbox.notification())).cause == "signature"


async def test_a_genuine_message_of_long_ago_is_refused() -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    assert (await Receiver(TOPIC).refuse(KEY.notification(Timestamp=long_ago))).cause == "age"
    await Receiver(TOPIC).take(KEY.notification(Timestamp=(datetime.now(UTC) - timedelta(days=14)).isoformat()))


@pytest.mark.parametrize(
    ("payload", "cause", "status"),
    [
        (lambda: b"x" * (MAX_BODY + 1), "size", 413),
        (lambda: b"not JSON", "format", 400),
        (lambda: b"[]", "format", 400),
        (lambda: b"{}", "format", 400),
        (lambda: body(KEY.notification() | {"Type": "Rumour"}), "format", 400),
        (lambda: body(KEY.notification(MessageId=f"{FOREIGN_ID}\nSubject\nx")), "format", 400),
        (lambda: body(KEY.notification(Timestamp="yesterday")), "format", 400),
        (lambda: body(KEY.notification(Timestamp="2026-01-01T00:00:00")), "format", 400),
        (lambda: b'{"eventType": "Send", "mail": {}}', "raw delivery", 400),
        (lambda: b'{"notificationType": "Bounce"}', "raw delivery", 400),
    ],
)
def test_what_is_no_message_of_sns_is_refused(payload: Callable[[], bytes], cause: str, status: int) -> None:
    with pytest.raises(MessageRefusedError) as caught:
        parse(payload())
    assert (caught.value.cause, caught.value.status) == (cause, status)


@pytest.mark.parametrize(
    "name",
    ["Type", "MessageId", "TopicArn", "Message", "Timestamp", "Signature", "SignatureVersion", "SigningCertURL"],
)
@pytest.mark.parametrize("value", [None, 1, ["x"]])
def test_each_field_must_be_there_and_be_text(name: str, value: object) -> None:
    with pytest.raises(MessageRefusedError, match=re.escape(name)):
        parse(json.dumps(KEY.notification() | {name: value}).encode())


def test_the_header_must_name_the_type_of_the_body() -> None:
    with pytest.raises(MessageRefusedError, match="differs"):
        parse(body(KEY.notification()), "SubscriptionConfirmation")


def test_a_header_that_says_raw_is_refused_by_the_switch_to_turn() -> None:
    with pytest.raises(MessageRefusedError, match="raw message delivery"):
        parse(body(KEY.notification()), "Notification", raw_header=True)
