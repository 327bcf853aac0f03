"""Every answer is what botocore's service model of `sesv2` documents."""

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from sandbox_mail import simple_mail
from ses_sandbox.aws.errors import KNOWN_ERRORS
from ses_sandbox.testing import Control

MODEL = botocore.session.get_session().get_service_model("sesv2")
SEND_ERRORS = {
    shape.name: shape.metadata["error"]["httpStatusCode"] for shape in MODEL.operation_model("SendEmail").error_shapes
}


@pytest.mark.parametrize("code", SEND_ERRORS)
async def test_every_error_of_send_email_arrives_as_modelled(sandbox: Control, ses: Any, code: str) -> None:
    await sandbox.post("/sandbox/faults", {"action": {"kind": "error", "code": code}})

    with pytest.raises(getattr(ses.exceptions, code)) as raised:
        await ses.send_email(**simple_mail())

    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == SEND_ERRORS[code]
    assert raised.value.response["Error"]["Message"] == KNOWN_ERRORS[code][1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"Destination": {}}, "at least one recipient"),
        ({"Destination": {"ToAddresses": [f"{n}@example.com" for n in range(51)]}}, "Recipient count exceeds 50."),
        ({"Destination": {"ToAddresses": ["nobody"]}}, "Missing final '@domain'"),
        ({"Destination": {"ToAddresses": ["a@exämple.com"]}}, "Domain contains illegal character"),
        ({"EmailTags": [{"Name": "uuid", "Value": "a.b"}]}, "Invalid tag value <a.b>: only alphanumeric ASCII"),
        ({"FromEmailAddress": ""}, "FromEmailAddress"),
        ({"Content": {"Template": {"TemplateName": "t"}}}, "Template content is not supported"),
        ({"Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {}}}}, "at least one of Html and Text"),
    ],
)
async def test_what_ses_would_not_take_is_refused(sandbox: Control, ses: Any, change: Any, text: str) -> None:
    with pytest.raises(ClientError, match="BadRequestException") as raised:
        await ses.send_email(**simple_mail() | change)

    assert text in raised.value.response["Error"]["Message"]
    assert (await sandbox.get("/messages/count"))["count"] == 0
