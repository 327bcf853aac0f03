"""Events reach their receiver, whatever happens to it or to the sandbox."""

import asyncio
from pathlib import Path

import pytest

from sandbox_clients import client
from sandbox_mail import simple_mail
from ses_sandbox.testing import Control, SandboxProcess, SandboxTask
from sns_receiver import Receiver

FAST_RETRY = {"event_retry_delay": 0.05}


async def confirm(sandbox: Control, receiver: Receiver) -> None:
    """Answer the request to confirm as the daemon does, and forget it."""
    [request, *_] = await receiver.wait_for(1)
    async with client("sns", sandbox.url) as sns:
        await sns.confirm_subscription(TopicArn=request["TopicArn"], Token=request["Token"])
    receiver.posts.clear()


@pytest.mark.parametrize(("statuses", "posts", "failed"), [([500, 503], 4, 0), ([500] * 9, 5, 1), ([404], 2, 1)])
async def test_only_server_errors_are_retried(tmp_path: Path, statuses: list[int], posts: int, failed: int) -> None:
    async with (
        Receiver() as receiver,
        SandboxTask(tmp_path, events_to=receiver.url, **FAST_RETRY) as sandbox,
        client("sesv2", sandbox.url) as ses,
    ):
        await confirm(sandbox, receiver)
        await sandbox.put("/sandbox/events", {"types": ["Send"]})
        await ses.send_email(**simple_mail("first"))
        await sandbox.get("/sandbox/events/wait", pending=0)
        receiver.statuses = statuses
        await ses.send_email(**simple_mail("second"))

        state = await sandbox.get("/sandbox/events/wait", pending=0)

        assert (len(receiver.posts), state["failed"]) == (posts, failed)
        assert len({envelope["MessageId"] for envelope in receiver.envelopes()}) == 2


async def test_events_wait_for_a_receiver_that_starts_late(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        receiver.statuses = [503]
        async with SandboxTask(tmp_path, events_to=receiver.url) as sandbox, client("sesv2", sandbox.url) as ses:
            await ses.send_email(**simple_mail())
            assert (await sandbox.get("/sandbox/events"))["pending"] == 2
            await receiver.wait_for(2)
            await confirm(sandbox, receiver)

            assert len(await receiver.wait_for(2)) == 2


async def test_a_kill_of_the_sandbox_loses_no_event(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        options = ("--events-to", receiver.url, "--event-retry-delay", "0.1", "--event-max-retries", "-1")
        async with SandboxProcess(tmp_path, *options) as sandbox, client("sesv2", sandbox.url) as ses:
            await confirm(sandbox, receiver)
            receiver.statuses = [503] * 10
            accepted = [(await ses.send_email(**simple_mail(str(number))))["MessageId"] for number in range(10)]
            await receiver.wait_for(5)
            await sandbox.kill()
            await sandbox.start()

            state = await sandbox.get("/sandbox/events/wait", pending=0)

        assert state["reached"]
        sent = {event["mail"]["messageId"] for event in receiver.events() if event["eventType"] == "Send"}
        assert sent == set(accepted)


async def test_another_receiver_takes_the_place_of_the_last(tmp_path: Path) -> None:
    async with Receiver() as first, Receiver() as second:
        async with SandboxTask(tmp_path, events_to=first.url) as sandbox:
            await confirm(sandbox, first)
        async with SandboxTask(tmp_path, events_to=second.url) as sandbox:
            await confirm(sandbox, second)
            endpoints = [each["endpoint"] for each in (await sandbox.get("/sandbox/events"))["subscriptions"]]

    assert endpoints == [second.url]


async def test_a_confirmed_subscription_is_remembered(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        for _ in range(2):
            async with SandboxTask(tmp_path, events_to=receiver.url) as sandbox:
                if not receiver.posts:
                    await confirm(sandbox, receiver)
                await sandbox.post("/sandbox/events", {"eventType": "Open"})
                await sandbox.get("/sandbox/events/wait", pending=0)

        assert {envelope["Type"] for envelope in receiver.envelopes()} == {"Notification"}


async def test_a_hanging_receiver_does_not_hold_up_the_mail(tmp_path: Path) -> None:
    async with (
        Receiver() as receiver,
        SandboxTask(tmp_path, events_to=receiver.url) as sandbox,
        client("sesv2", sandbox.url) as ses,
    ):
        await confirm(sandbox, receiver)
        receiver.open.clear()
        await asyncio.gather(*(ses.send_email(**simple_mail(str(number))) for number in range(20)))
        assert (await sandbox.get("/sandbox/events"))["pending"] == 40
        receiver.open.set()
        assert (await sandbox.get("/sandbox/events/wait", pending=0))["delivered"] == 40
