"""The parameters of an installation, from its settings and the command's options."""

import pytest

from email_consumer.aws_setup.installation import Options, OptionsError, values_of
from email_consumer.aws_setup.values import Account
from email_consumer.settings import load_settings

_ACCOUNT = Account("aws", "eu-west-1", "111122223333")
_GIVEN = {"AWS_REGION": "eu-west-1", "FROM_EMAIL": "Shop <a@Example.com>", "SERVER_URL": "https://mail.example.com"}


def _parameters(options: Options | None = None, **variables: str) -> dict[str, str]:
    return dict(values_of(load_settings(_GIVEN | variables), options or Options(), _ACCOUNT).parameters)


def test_names_are_those_of_the_installation() -> None:
    found = _parameters(Options(name="shop"))
    assert (found["Domain"], found["MailFromDomain"]) == ("example.com", "bounce.example.com")
    assert (found["ConfigurationSetName"], found["TopicName"], found["Events"]) == ("shop", "shop-events", "https")
    assert found["EndpointUrl"] == "https://mail.example.com/v1/events/results"


def test_a_domain_is_what_the_dns_has() -> None:
    assert _parameters(Options(domain="Bücher.example"))["Domain"] == "xn--bcher-kva.example"


def test_names_that_settings_hold_are_kept() -> None:
    queues = "https://sqs.eu-west-1.amazonaws.com/111122223333"
    found = _parameters(
        CONFIGURATION_SET="mine",
        SNS_TOPIC_ARNS="arn:aws:sns:us-east-1:111122223333:far,arn:aws:sns:eu-west-1:111122223333:near",
        SNS_EVENTS_QUEUE_URL=f"{queues}/events",
        SOURCE="sqs",
        SQS_QUEUE_URL=f"{queues}/mail",
    )
    assert (found["ConfigurationSetName"], found["TopicName"], found["Events"]) == ("mine", "near", "sqs")
    assert (found["EventsQueueName"], found["MailQueueName"], found["MailQueues"]) == ("events", "mail", "true")
    assert found["TransactionalQueueName"] == "email-consumer-transactional"


@pytest.mark.parametrize(
    ("options", "variables", "words"),
    [
        (Options(), {"FROM_EMAIL": ""}, "which domain"),
        (Options(), {"AWS_REGION": ""}, "which region"),
        (Options(domain="localhost"), {}, "which domain"),
        (Options(domain="a b.com"), {}, "which domain"),
        (Options(domain="other.com", mail_from="bounce.example.com"), {}, "not a subdomain of other.com"),
        (Options(name="my shop"), {}, "--name"),
        (Options(tenants=("a.b",)), {}, "--tenant"),
        (Options(), {"SERVER_URL": "http://localhost:3000"}, "SNS can't reach"),
        (
            Options(events="sqs"),
            {"SQS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/999922223333/mail"},
            "another account",
        ),
        (
            Options(events="sqs"),
            {"SQS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/email-consumer-events-dead"},
            "the same name",
        ),
    ],
)
def test_what_can_not_be_set_up(options: Options, variables: dict[str, str], words: str) -> None:
    with pytest.raises(OptionsError, match=words):
        _parameters(options, **variables)
