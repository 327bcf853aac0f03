"""How far the sources of mail have come, as they say themselves."""

from collections.abc import Awaitable, Callable

from nats.aio.client import Client

from email_consumer.core.stall_detector import SourceProgress
from email_consumer.jetstream.api import ask
from email_consumer.sqs.queue import SqsQueue

_PATIENCE = 2.0


def progress_of_consumer(client: Client, stream: str, consumer: str) -> Callable[[], Awaitable[SourceProgress]]:
    """Asks JetStream."""

    async def look() -> SourceProgress:
        found = await ask(client, f"CONSUMER.INFO.{stream}.{consumer}", patience=_PATIENCE)
        open_, most = found["num_ack_pending"], found["config"].get("max_ack_pending", 0)
        hint = ""
        if 0 < most <= open_:
            hint = f"{open_:,} deliveries wait for another attempt, all that max_ack_pending of {consumer!r} allows"
        return SourceProgress(found["num_pending"], found["delivered"]["stream_seq"] - open_, hint)

    return look


def progress_of_queue(queue: SqsQueue) -> Callable[[], Awaitable[SourceProgress]]:
    """Asks SQS, which doesn't count what was settled."""

    async def look() -> SourceProgress:
        return SourceProgress(await queue.waiting(), 0)

    return look
