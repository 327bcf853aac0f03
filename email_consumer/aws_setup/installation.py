"""The parameters of one installation, from its settings and the options of the command."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from email_consumer.aws.errors import AwsError
from email_consumer.aws_setup.kinds.kind import Aws
from email_consumer.aws_setup.values import Account, Values
from email_consumer.message.address import parse_address
from email_consumer.message.fields import is_tenant
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.loopback import is_loopback
from email_consumer.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
"""Longer names would be too long for SQS with what is added to them."""
EVENTS_PATH = "/v1/events/results"


class OptionsError(OperatorError):
    """Settings and options don't say what to set up."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the settings don't say, or what is to be otherwise."""

    name: str = "email-consumer"
    domain: str | None = None
    mail_from: str | None = None
    events: str | None = None
    mail_queues: bool = False
    tenants: tuple[str, ...] = ()


async def account_of(aws: Aws, region: str) -> Account:
    """The account of our credentials.

    Raises:
        AwsError: there was no answer, or something else than STS answered.
    """
    answer = await aws.call("sts", "get_caller_identity")
    try:
        return Account(answer["Arn"].split(":")[1], region, answer["Account"])
    except (LookupError, AttributeError):
        raise AwsError("The response is not from STS.", "Check AWS_ENDPOINT_URL_STS and HTTPS_PROXY.") from None


def values_of(settings: Settings, options: Options, account: Account) -> Values:
    """What to set up; names that a setting holds are taken from there.

    Raises:
        OptionsError: something is missing, or contradicts something else.
    """
    if "aws_region" not in settings.model_fields_set:
        raise OptionsError("which region? set AWS_REGION")
    _check_names(options)
    domain = _domain(settings, options)
    mail_from = options.mail_from or f"bounce.{domain}"
    if not mail_from.endswith(f".{domain}"):
        raise OptionsError(f"--mail-from: {mail_from} is not a subdomain of {domain}")
    events = options.events or ("sqs" if settings.sns_events_queue_url else "https")
    if events == "https":
        _check_reachable(settings)
    queues = {
        "EventsQueueName": _queue(settings.sns_events_queue_url, account) or f"{options.name}-events",
        "MailQueueName": _queue(settings.sqs_queue_url, account) or f"{options.name}-mail",
        "TransactionalQueueName": (
            _queue(settings.sqs_transactional_queue_url, account) or f"{options.name}-transactional"
        ),
    }
    names = [*queues.values(), *(f"{name}-dead" for name in queues.values())]
    if len(set(names)) < len(names):
        raise OptionsError(f"no two queues can have the same name, also with -dead at its end: {', '.join(names)}")
    parameters = queues | {
        "Name": options.name,
        "Domain": domain,
        "MailFromDomain": mail_from,
        "CreateIdentity": "true",
        "ConfigurationSetName": settings.configuration_set or options.name,
        "TopicName": _topic(settings, account) or f"{options.name}-events",
        "Events": events,
        "EndpointUrl": f"{settings.server_url}{EVENTS_PATH}",
        "MailQueues": str(options.mail_queues or "sqs" in settings.source).lower(),
        "SuppressionMirror": str(settings.suppression_mirror).lower(),
    }
    return Values(account, parameters, urlsplit(settings.server_url).scheme, options.tenants)


def _check_names(options: Options) -> None:
    if not _NAME.fullmatch(options.name):
        raise OptionsError("--name: 1 to 50 of A-Z a-z 0-9 _ -")
    for tenant in options.tenants:
        if not is_tenant(tenant):
            raise OptionsError(f"--tenant: {tenant!r} is not 1 to 64 of A-Z a-z 0-9 _ -")


def _domain(settings: Settings, options: Options) -> str:
    """In the form that the DNS has it in."""
    try:
        domain = parse_address(f"no-reply@{options.domain}" if options.domain else settings.from_email).domain
    except ValueError:
        domain = ""
    if "." not in domain:
        raise OptionsError(
            f"which domain? --domain is {options.domain!r}, FROM_EMAIL {settings.from_email!r}; it should be like example.com"
        )
    return domain


def _topic(settings: Settings, account: Account) -> str | None:
    ours = f"arn:{account.partition}:sns:{account.region}:{account.number}:"
    names = [arn.removeprefix(ours) for arn in settings.sns_topic_arns if arn.startswith(ours)]
    return names[0] if names else None


def _queue(url: str | None, account: Account) -> str | None:
    """The name of the queue of a URL, which must be one of this account."""
    if url is None:
        return None
    *_, number, name = ["", "", *urlsplit(url).path.split("/")]
    if number != account.number:
        raise OptionsError(f"{url} is a queue of another account than that of the credentials, {account.number}")
    return name


def _check_reachable(settings: Settings) -> None:
    """SNS has to reach us from the internet, except where a stand-in takes its place."""
    if settings.sns_endpoint is None and is_loopback(settings.server_url):
        raise OptionsError(
            f"SNS can't reach {settings.server_url}: set SERVER_URL to the public address, or choose --events sqs"
        )
