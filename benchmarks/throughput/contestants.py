"""Who takes part."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import STREAM, SUBJECT
from benchmarks.program import python


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict, hash=False)
    """Its own, in addition to those that all have."""


OURS = Contestant("email_consumer", python("email_consumer", "run"))
"""With its ledger and status on disk, SYNC FULL, as it comes; only the rate is set higher than it can reach."""
_PEERS = {
    "FastStream + aioboto3": "benchmarks.peers.faststream_aioboto3",
    "nats-py fetch + aioboto3": "benchmarks.peers.loop_aioboto3",
    "nats-py fetch + boto3 threads": "benchmarks.peers.threads_boto3",
}
CONTESTANTS = (
    OURS,
    *(
        Contestant(f"{name}, {form}", python(module, *arguments))
        for name, module in _PEERS.items()
        for form, arguments in (("defaults", ()), ("tuned", ("--tuned",)))
    ),
)


def baseline(checkout: Path) -> Contestant:
    """Another version of this program, from its checkout."""
    command = python("email_consumer", "run", checkout=checkout)
    return Contestant(f"email_consumer, {checkout.name}", command, {"PYTHONPATH": str(checkout)})


def anchor(binary: Path) -> Contestant:
    """The Rust service that this program replaces, or whatever takes its variables."""
    return Contestant(binary.name, (str(binary),), {"CONCURRENCY_LIMIT": "500"})


def environment(nats_url: str, endpoint: Endpoint, consumer: str) -> dict[str, str]:
    """The variables that each of them runs with."""
    variables = {
        "NATS_URL": nats_url,
        "STREAM": STREAM,
        "SUBJECT": SUBJECT,
        "CONSUMER": consumer,
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_ENDPOINT_URL_SESV2": endpoint.url,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark-secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "SES_RATE_PER_SEC": "100000",
        "SERVER_PORT": "0",
        "LOG_FORMAT": "json",
    }
    # The second is what programs on OpenSSL or rustls read.
    return variables | ({"AWS_CA_BUNDLE": str(endpoint.ca), "SSL_CERT_FILE": str(endpoint.ca)} if endpoint.ca else {})
