"""Scripted faults do what they say, and count it."""

import asyncio
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from sandbox_mail import simple_mail
from ses_sandbox.testing import Control


async def test_an_error_applies_as_often_as_scripted(sandbox: Control, ses: Any) -> None:
    action = {"kind": "error", "code": "MessageRejected", "message": "no"}
    await sandbox.post("/sandbox/faults", {"match": {"to": "*@bad.example"}, "times": 2, "action": action})

    await ses.send_email(**simple_mail(to="a@good.example"))
    for _ in range(2):
        with pytest.raises(ses.exceptions.MessageRejected, match="no"):
            await ses.send_email(**simple_mail(to="A@Bad.Example"))
    await ses.send_email(**simple_mail(to="a@bad.example"))

    [fault] = (await sandbox.get("/sandbox/faults"))["faults"]
    assert fault["hits"] == 2


async def test_every_second_request_gets_a_bare_status(sandbox: Control, ses: Any) -> None:
    await sandbox.post("/sandbox/faults", {"every": 2, "action": {"kind": "status", "status": 503}})

    statuses = []
    for _ in range(4):
        try:
            answered = await ses.send_email(**simple_mail())
        except ClientError as error:
            answered = error.response
        statuses.append(answered["ResponseMetadata"]["HTTPStatusCode"])

    assert statuses == [200, 503, 200, 503]
    await sandbox.delete("/sandbox/faults")
    await ses.send_email(**simple_mail())


@pytest.mark.parametrize(("kind", "stored"), [("cut_before", 0), ("cut_after", 1)])
async def test_a_cut_connection_has_no_answer(sandbox: Control, ses: Any, kind: str, stored: int) -> None:
    await sandbox.post("/sandbox/faults", {"times": 1, "action": {"kind": kind}})

    with pytest.raises(HTTPClientError):
        await ses.send_email(**simple_mail())

    assert (await sandbox.get("/messages/count"))["count"] == stored


@pytest.mark.parametrize(("kind", "stored"), [("hang", 0), ("hang_after", 1)])
async def test_a_hanging_request_ends_with_its_client(sandbox: Control, ses: Any, kind: str, stored: int) -> None:
    fault = await sandbox.post("/sandbox/faults", {"action": {"kind": kind}})
    sending = asyncio.create_task(ses.send_email(**simple_mail()))

    applied = await sandbox.get(f"/sandbox/faults/{fault['id']}/wait", hits=1)
    assert (applied["reached"], sending.done()) == (True, False)
    if stored:
        await sandbox.get("/messages/wait", count=1)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    assert (await sandbox.get("/messages/count"))["count"] == stored


async def test_a_delay_comes_before_what_else_is_scripted(sandbox: Control, ses: Any) -> None:
    await sandbox.post("/sandbox/faults", {"operation": "*", "action": {"kind": "delay", "seconds": 0.2}})
    await sandbox.post(
        "/sandbox/faults", {"operation": "GetAccount", "action": {"kind": "error", "code": "ExpiredTokenException"}}
    )
    loop = asyncio.get_running_loop()
    started = loop.time()

    with pytest.raises(ClientError, match="ExpiredTokenException"):
        await ses.get_account()

    assert loop.time() - started >= 0.2


async def test_a_proxys_answer_may_come_after_acceptance(sandbox: Control, ses: Any) -> None:
    await sandbox.post("/sandbox/faults", {"times": 1, "action": {"kind": "status_after", "status": 503}})

    with pytest.raises(ClientError) as refused:
        await ses.send_email(**simple_mail())

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert (await sandbox.get("/messages/count"))["count"] == 1
