"""AWS's own examples read into one vocabulary, and what must not remain of them."""

import json
import re

import pytest

from email_consumer.feedback.event_reader import UnreadableEventError, read
from email_consumer.feedback.events import Event, Kind, RecipientResult, ValidationMessage
from tests.unit.feedback.examples import NAMES, example

SENT_AT = 1_700_000_000.0
DELIVERY_FACT = RecipientResult("recipient@example.com", diagnostic="250 2.6.0 Message received")
FAILURE = "Attribute 'attributeName' is not present in the rendering data."
NO_CONNECTION = "smtp; 421 4.4.1 Unable to connect to remote host"
LINK = "http://docs.aws.amazon.com/ses/latest/DeveloperGuide/send-email-smtp.html"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.90 Safari/537.36"
)
R, J = "recipient@example.com", "jane@example.com"

EXPECTED: dict[str, tuple[Kind, list[RecipientResult]]] = {
    "event_bounce": (Kind.BOUNCE, [RecipientResult(R, "Permanent", "General", "smtp; 550 5.1.1 user unknown")]),
    "event_complaint": (Kind.COMPLAINT, [RecipientResult(R, "abuse", "", CHROME)]),
    "event_delivery": (Kind.DELIVERY, [DELIVERY_FACT]),
    "event_send": (Kind.SEND, [RecipientResult(R)]),
    "event_reject": (Kind.REJECT, [RecipientResult("sender@example.com", "Bad content")]),
    "event_open": (Kind.OPEN, [RecipientResult(R)]),
    "event_click": (Kind.CLICK, [RecipientResult(R, LINK)]),
    "event_rendering_failure": (Kind.RENDERING_FAILURE, [RecipientResult(R, "MyTemplate", "", FAILURE)]),
    "event_delivery_delay": (
        Kind.DELIVERY_DELAY,
        [RecipientResult(R, "TransientCommunicationFailure", "", NO_CONNECTION)],
    ),
    "event_subscription": (Kind.SUBSCRIPTION, [RecipientResult(R, "UnsubscribeHeader")]),
    "notification_bounce": (
        Kind.BOUNCE,
        [RecipientResult(J, "Permanent", "General", "smtp; 550 5.1.1 <jane@example.com>... User")],
    ),
    "notification_bounce_without_dsn": (
        Kind.BOUNCE,
        [RecipientResult(J, "Permanent", "General"), RecipientResult("richard@example.com", "Permanent", "General")],
    ),
    "notification_complaint": (
        Kind.COMPLAINT,
        [RecipientResult("richard@example.com", "abuse", "", "AnyCompany Feedback Loop (V0.01)")],
    ),
    "notification_complaint_without_report": (Kind.COMPLAINT, [RecipientResult("richard@example.com")]),
    "notification_delivery": (Kind.DELIVERY, [RecipientResult(J, diagnostic="250 ok:  Message 64111812 accepted")]),
}


def event(message: str) -> Event:
    found = read(message, SENT_AT)
    assert isinstance(found, Event)
    return found


def changed(name: str, change: str) -> str:
    """The example with one more piece of JSON at its end, such as `"mail": {…}`."""
    return json.dumps(json.loads(example(name)) | json.loads(f"{{{change}}}"))


def test_there_is_an_expectation_for_each_example() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_of_aws_is_read_rightly(name: str) -> None:
    kind, recipients = EXPECTED[name]
    found = event(example(name))
    mail = json.loads(example(name))["mail"]
    assert (found.kind, list(found.recipients), found.message_id) == (kind, recipients, mail["messageId"])
    assert (found.tag, found.instance, found.machine) == (None, None, False)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_the_event_without_ip_addresses(name: str) -> None:
    kept = event(example(name)).raw
    assert not re.search(r"(ipAddress|sourceIp|remoteMtaIp|-ip\"|192\.0\.2\.|127\.0\.)", kept)
    original = json.loads(example(name))
    assert json.loads(kept)["mail"]["commonHeaders" if "commonHeaders" in original["mail"] else "messageId"]
    assert event(kept) == event(example(name)), "what is kept must be readable again"


def test_received_headers_go_too() -> None:
    headers = '[{"name": "Received", "value": "from [203.0.113.9]"}, {"name": "X-Request-ID", "value": "u-1"}]'
    found = event(changed("event_send", f'"mail": {{"messageId": "m", "headers": {headers}}}'))
    assert "203.0.113.9" not in found.raw
    assert found.tag == "u-1"


@pytest.mark.parametrize(
    ("name", "moment"),
    [("event_delivery", 1476919264.133), ("event_send", 1476421336.645), ("notification_bounce", 1453906778.237)],
)
def test_the_time_is_that_of_the_event_where_it_has_one(name: str, moment: float) -> None:
    assert event(example(name)).happened_at == moment


def test_without_any_time_it_is_that_of_the_message() -> None:
    assert event('{"eventType": "Send", "mail": {"messageId": "m"}}').happened_at == SENT_AT


def test_tags_name_the_mail_and_the_installation_before_headers_do() -> None:
    tags = '"tags": {"uuid": ["u-1"], "instance": ["staging"]}'
    headers = '"headers": [{"name": "X-Request-ID", "value": "u-2"}]'
    found = event(f'{{"eventType": "Send", "mail": {{"messageId": "m", {tags}, {headers}}}}}')
    assert (found.tag, found.instance) == ("u-1", "staging")


def test_addresses_are_bare_and_in_lower_case() -> None:
    found = event(changed("event_delivery", '"delivery": {"recipients": ["Jane Doe <Jane@EXAMPLE.com>"]}'))
    assert [fact.recipient for fact in found.recipients] == [J]


def test_of_several_recipients_nobody_knows_who_opened() -> None:
    mail = '"mail": {"messageId": "m", "destination": ["a@example.com", "b@example.com"]}'
    assert event(changed("event_open", mail)).recipients == ()


@pytest.mark.parametrize(
    ("detail", "machine"),
    [
        ('{"isBot": true}', True),
        ('{"automated": "true"}', True),
        ('{"machineOpen": false}', False),
        ('{"userAgent": "a bot"}', False),
        ('{"linkTags": {"bot": ["true"]}}', False),
    ],
)
def test_opens_by_programs_are_marked_if_ses_reports_them(detail: str, machine: bool) -> None:
    assert event(changed("event_open", f'"open": {detail}')).machine is machine


@pytest.mark.parametrize(
    "message",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        (
            '{"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully subscribed your'
            " Amazon SNS topic 'arn:aws:sns:us-east-1:123456789012:MyTopic' to receive 'Bounce' notifications from Amazon"
            " SES for identity 'example.com'.\"}"
        ),
    ],
)
def test_what_ses_sends_when_a_topic_is_set_up_is_a_greeting(message: str) -> None:
    greeting = read(message, SENT_AT)
    assert isinstance(greeting, ValidationMessage)
    assert "ccessful" in greeting.text


@pytest.mark.parametrize(
    "message",
    [
        "[]",
        "{}",
        '"text"',
        "NaN",
        "12",
        '{"weather": "fine"}',
        '{"eventType": 5}',
        '{"eventType": "Bounce"',
        "[" * 10**5,
    ],
)
def test_other_json_is_said_to_be_unreadable(message: str) -> None:
    with pytest.raises(UnreadableEventError):
        read(message, SENT_AT)


@pytest.mark.parametrize(
    "message",
    [
        '{"eventType": "Send"}',
        '{"eventType": "Send", "mail": {}}',
        '{"eventType": "Bounce", "mail": {"messageId": "m"}, "bounce": {}}',
        '{"eventType": "Delivery", "mail": {"messageId": "m"}, "delivery": {"recipients": [1]}}',
        '{"eventType": "Send", "mail": []}',
    ],
)
def test_what_a_genuine_event_lacks_counts_as_not_given(message: str) -> None:
    assert event(message).recipients == ()


def test_a_bounce_of_a_mail_to_one_is_theirs_if_the_list_is_unreadable() -> None:
    mail = '"mail": {"messageId": "m", "destination": ["Jane@example.com"]}'
    bounce = '"bounce": {"bounceType": "Permanent", "bouncedRecipients": "odd"}'
    assert event(f'{{"eventType": "Bounce", {mail}, {bounce}}}').recipients == (RecipientResult(J, "Permanent"),)


def test_an_event_of_a_name_that_is_new_proves_nothing() -> None:
    found = event('{"eventType": "Thunder", "mail": {"messageId": "m", "destination": ["Jane@example.com"]}}')
    assert (found.kind, found.proves_acceptance, found.message_id, found.recipients) == (
        "Thunder",
        False,
        "m",
        (RecipientResult(J),),
    )
    assert event(example("event_send")).proves_acceptance
