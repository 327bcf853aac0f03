"""The environment that points the daemon, and every AWS client in it, at the local servers and nowhere else."""

import os
from collections.abc import MutableMapping
from pathlib import Path

ACCESS_KEY_ID = "sandbox"
SECRET_ACCESS_KEY = "sandbox-secret"  # noqa: S105 - the sandbox's own, it opens nothing else
SANDBOX_TOPIC = "arn:aws:sns:ap-northeast-2:000000000000:ses-events"

_LOOPBACK = "127.0.0.1,localhost"
# How else to log in to NATS; the local server asks for nothing.
_NATS_CREDENTIALS = (
    "NATS_USER",
    "NATS_PASSWORD",
    "NATS_TOKEN",
    "NATS_NKEY_SEED",
    "NATS_CREDS",
    "NATS_CA",
    "NATS_CERT",
    "NATS_KEY",
)
# Each would bring in a real account, or lead past the sandbox.
_AWS_DETOURS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)

# Mail and events of the real account; a stand-in must not swallow them.
_REAL_QUEUES = (
    "SOURCE",
    "SQS_QUEUE_URL",
    "SQS_TRANSACTIONAL_QUEUE_URL",
    "SNS_EVENTS_QUEUE_URL",
    "AWS_ENDPOINT_URL_SQS",
)


def use_local_nats(environ: MutableMapping[str, str], nats_url: str) -> None:
    """All that a publisher needs."""
    for name in _NATS_CREDENTIALS:
        environ.pop(name, None)
    environ["NATS_URL"] = nats_url


def use_local_sidecar(environ: MutableMapping[str, str], sandbox: Path, server_port: int) -> None:
    """HTTP is on `server_port`; the sandbox's events come there, signed with the certificate in its directory."""
    environ.update(
        SNS_TOPIC_ARNS=SANDBOX_TOPIC,
        SANDBOX_CERTIFICATE=str(sandbox / "sns-certificate.pem"),
        SERVER_PORT=str(server_port),
        SERVER_URL=f"http://localhost:{server_port}",
    )
    environ.setdefault("SERVER_BIND", "127.0.0.1")


def use_local_servers(environ: MutableMapping[str, str], nats_url: str, sandbox_url: str, data: Path) -> None:
    """Overrides what was set: in local mode no real account is used, and no mail leaves.

    The configuration files of AWS are hidden too: a client that forgot its endpoint would have no credentials that are
    worth anything. The database lies in `data`, so that sandbox mail never gets into a real one.
    """
    use_local_nats(environ, nats_url)
    for name in (*_AWS_DETOURS, *_REAL_QUEUES):
        environ.pop(name, None)
    environ.update(
        AWS_ENDPOINT_URL=sandbox_url,
        AWS_ENDPOINT_URL_SESV2=sandbox_url,
        AWS_ENDPOINT_URL_SNS=sandbox_url,
        AWS_ACCESS_KEY_ID=ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY=SECRET_ACCESS_KEY,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY=_LOOPBACK,
        no_proxy=_LOOPBACK,
        DB_PATH=str(data / "email.db"),
    )
