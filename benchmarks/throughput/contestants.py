"""Who takes part."""

from dataclasses import dataclass

from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import STREAM, SUBJECT


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    module: tuple[str, ...]
    """The Python module that is run, and its arguments."""


OURS = Contestant("email_consumer", ("email_consumer", "run"))
"""With its ledger and status on disk, SYNC FULL, as it comes; only the rate is set higher than it can reach."""
_PEERS = {
    "FastStream + aioboto3": "benchmarks.peers.faststream_aioboto3",
    "nats-py fetch + aioboto3": "benchmarks.peers.loop_aioboto3",
    "nats-py fetch + boto3 threads": "benchmarks.peers.threads_boto3",
}
CONTESTANTS = (
    OURS,
    *(
        Contestant(f"{name}, {form}", (module, *arguments))
        for name, module in _PEERS.items()
        for form, arguments in (("defaults", ()), ("tuned", ("--tuned",)))
    ),
)


def environment(nats_url: str, endpoint: Endpoint, consumer: str) -> dict[str, str]:
    """The variables that each of them runs with."""
    variables = {
        "NATS_URL": nats_url,
        "STREAM": STREAM,
        "SUBJECT": SUBJECT,
        "CONSUMER": consumer,
        "AWS_ENDPOINT_URL_SESV2": endpoint.url,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark-secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "SES_RATE_PER_SEC": "100000",
        "SERVER_PORT": "0",
        "LOG_FORMAT": "json",
    }
    return variables | ({"AWS_CA_BUNDLE": str(endpoint.ca)} if endpoint.ca else {})
