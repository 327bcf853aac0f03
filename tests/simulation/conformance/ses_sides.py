"""The two sides that one test compares: the model of SES, and the sandbox or a server that sends scripted answers."""

import re
from asyncio import events
from collections.abc import Awaitable, Callable

from email_consumer.core.account import AccountUnavailableError
from email_consumer.core.outcome import Held, InDoubt, Interrupted, SendResult, Sent
from email_consumer.message.model import EmailMessage
from email_consumer.ses.client import SesClient
from tests.integration.ses.sandbox import SOON, client
from tests.simulation.ses.service import Ses
from tests.simulation.world import World

Work = Callable[[SesClient], Awaitable[list[str]]]

_MESSAGE_ID = re.compile(r"0100[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}-0{6}")


def described(result: SendResult | Interrupted) -> str:
    """A result in words that don't depend on who sends it."""
    match result:
        case Sent(message_id):
            return "Sent with SES's id" if _MESSAGE_ID.fullmatch(message_id) else f"Sent with {message_id}"
        case Held(reason) | InDoubt(reason) if reason.startswith(("no connection", "the request was written")):
            return f"{type(result).__name__}: {reason.partition(':')[0]}"
    return str(result)


async def sends(client: SesClient, *messages: EmailMessage) -> list[str]:
    return [described(await client.send(message)) for message in messages]


async def described_account(client: SesClient) -> list[str]:
    """What GetAccount says."""
    try:
        return [str(await client.account())]
    except AccountUnavailableError as error:
        return [f"forbidden: {error.forbidden}"]


def on_model(
    work: Work, prepare: Callable[[Ses], object] = lambda _: None, *, skew: float = 0.0
) -> tuple[list[str], Ses]:
    """Run it in a process of a world."""
    world = World(1)
    ses = Ses(world)
    prepare(ses)

    async def main() -> list[str]:
        async with SesClient(
            ses.open_session,
            region="eu-west-1",
            from_email="shop@example.com",
            configuration_set=None,
            instance="test",
            timeout=SOON,
        ) as opened:
            return await work(opened)

    loop = events._get_running_loop()  # of the test, which the world would end
    with world.running():
        task = world.process("worker", skew).spawn(main())
        world.run(task.done, limit=1_000)
    events._set_running_loop(loop)
    return task.result(), ses


async def on_server(work: Work, url: str) -> list[str]:
    """Run it against whatever serves at the URL."""
    async with client(url, timeout=SOON) as opened:
        return await work(opened)
