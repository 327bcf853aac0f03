"""Only requests signed with the sandbox's credentials are served; the others get AWS's own errors."""

from typing import Any

import aiohttp
import pytest
from botocore.exceptions import ClientError

from sandbox_clients import client
from sandbox_mail import simple_mail
from ses_sandbox.testing import Control


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIAUNKNOWN"}, "UnrecognizedClientException"),
    ],
)
async def test_wrong_credentials(sandbox: Control, options: dict[str, str], code: str) -> None:
    async with client("sesv2", sandbox.url, **options) as ses:
        with pytest.raises(ClientError, match=code) as raised:
            await ses.send_email(**simple_mail())

    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


async def test_no_credentials(sandbox: Control) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{sandbox.url}/v2/email/account") as answer:
        assert answer.status == 403
        assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


async def test_a_session_token_is_tolerated(sandbox: Control) -> None:
    async with client("sesv2", sandbox.url, aws_session_token="temporary") as ses:
        assert (await ses.get_account())["SendingEnabled"]


async def test_credentials_expire_and_are_rotated(sandbox: Control, ses: Any) -> None:
    await sandbox.put("/sandbox/credentials", {"expired": True})
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        await ses.send_email(**simple_mail())
    await sandbox.put("/sandbox/credentials", {"expired": False, "secret_key": "new"})
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        await ses.send_email(**simple_mail())

    async with client("sesv2", sandbox.url, aws_secret_access_key="new") as renewed:
        await renewed.send_email(**simple_mail())
