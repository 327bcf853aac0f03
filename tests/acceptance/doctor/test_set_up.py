"""From an empty AWS to a bounce that comes all the way back, by `email-consumer aws` alone."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ses_sandbox.testing.ports import stable_port
from tests.acceptance.doctor.conftest import Installation
from tests.acceptance.doctor.test_command import run_doctor
from tests.integration.aws_setup.cloud import ACCOUNT, Cloud, cloud
from tests.servers.daemon import Daemon
from tests.servers.sqs import SqsServer


@pytest.fixture(scope="module")
def moto() -> Iterator[SqsServer]:
    with SqsServer(ACCOUNT) as server:
        yield server


async def run_aws(directory: Path, variables: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """`email-consumer aws` in that directory: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "email_consumer", "aws", *arguments),
        cwd=directory,
        env={"PATH": os.environ["PATH"], **variables},
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def _verify(aws: Cloud) -> None:
    """As SES does once it has seen the DNS records."""
    identities = (await aws.sandbox.get("/sandbox/identities"))["identities"]
    verified = {name: each | {"verified": True, "dkim": "SUCCESS"} for name, each in identities.items()}
    await aws.sandbox.put("/sandbox/identities", {"identities": verified})


def _environment(installation: Installation, moto: SqsServer) -> dict[str, str]:
    """Without anything that the command is to find out."""
    found = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    found |= dict.fromkeys(("AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SQS"), moto.url)
    given = installation.variables | {"SERVER_PORT": str(stable_port())}
    given["SERVER_URL"] = f"http://127.0.0.1:{given['SERVER_PORT']}"
    return found | {name: value for name, value in given.items() if name not in {"CONFIGURATION_SET", "SNS_TOPIC_ARNS"}}


async def test_everything_is_set_up_and_removed_again(
    installation: Installation, moto: SqsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in ("IAM", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", moto.url)
    variables = _environment(installation, moto)
    async with cloud(installation.sandbox, moto, "https") as aws:
        before = await aws.dump()

        code, out, err = await run_aws(tmp_path, variables, "apply", "--env-file", ".env")
        assert (code, err) == (0, ""), out
        assert f"SNS_TOPIC_ARNS=arn:aws:sns:eu-west-1:{ACCOUNT}:email-consumer-events" in out
        assert "bounce.mail.example.com. IN MX 10 feedback-smtp.eu-west-1.amazonses.com." in out

        await _verify(aws)
        made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
        certificate = str(tmp_path / "sandbox" / "sns-certificate.pem")
        async with Daemon(tmp_path, variables | made | {"SANDBOX_CERTIFICATE": certificate}) as daemon:
            document = await _apply_again(tmp_path, variables)
            await daemon.wait_for("events.subscribed")
            assert document["done"] in ([], ["EndpointSubscription"])
            installation.variables = variables | made
            code, out, err = await run_doctor(installation, tmp_path, "--send")
            assert (code, err) == (0, ""), out

        assert (await _apply_again(tmp_path, variables))["done"] == []
        code, out, err = await run_aws(tmp_path, variables, "destroy")
        assert (code, err) == (0, ""), out
        assert "removed: configuration set email-consumer" in out
        assert await aws.dump() == before


async def _apply_again(directory: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    code, out, err = await run_aws(directory, variables, "apply", "--json")
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document
