"""Where moto's SES can do a thing too, both answer alike."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from sandbox_clients import client
from sandbox_mail import simple_mail
from ses_sandbox.testing import Control


@pytest.fixture
async def moto_ses() -> AsyncIterator[Any]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        async with client("sesv2", f"http://{host}:{port}") as ses:
            yield ses
    finally:
        server.stop()


async def test_an_accepted_mail_is_answered_alike(ses: Any, moto_ses: Any) -> None:
    await moto_ses.create_email_identity(EmailIdentity="example.com")

    ours, theirs = [await each.send_email(**simple_mail()) for each in (ses, moto_ses)]

    for answered in (ours, theirs):
        assert answered["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert answered.keys() == {"MessageId", "ResponseMetadata"}


async def test_an_unverified_sender_is_rejected_alike(sandbox: Control, ses: Any, moto_ses: Any) -> None:
    await sandbox.put("/sandbox/identities", {"identities": {}})

    for each in (ses, moto_ses):
        with pytest.raises(each.exceptions.MessageRejected) as raised:
            await each.send_email(**simple_mail(FromEmailAddress="a@unverified.example"))
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert "not verified" in raised.value.response["Error"]["Message"]
