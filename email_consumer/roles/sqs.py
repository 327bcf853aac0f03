"""Mail from an SQS queue, and the queue that SES's events come through."""

from contextlib import AbstractAsyncContextManager

import structlog

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.settings import Settings
from email_consumer.sources.sqs.dead_letters import SqsDeadLetters
from email_consumer.sources.sqs.mail_queue import SqsMailQueue
from email_consumer.sources.sqs.source import SqsSource
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import RedrivePolicy, SqsQueue

_FEW_RECEIVES = 100
"""A redrive policy that allows fewer takes mail away that was only throttled for a few minutes."""

_log = structlog.get_logger(__name__)


async def open_sqs(settings: Settings, fallback: DeadLetterStore | None, services: Supervisor) -> SqsSource:
    """Check that the queue is there. `fallback` takes its dead letters where it has no redrive policy.

    Raises:
        OperatorError: its dead letters would have no place.
        SqsError: there is no such queue, or we may not use it.
    """
    queue = await services.enter(_queue(settings, str(settings.sqs_queue_url)))
    policy = await queue.redrive_policy()
    dead_letters = fallback
    if policy:
        _advise(policy, queue.name)
        dead_letters = SqsDeadLetters(await queue.by_arn(policy.dead_letter_arn))
    if dead_letters is None:
        raise OperatorError(
            "SQS_QUEUE_URL: the queue has no RedrivePolicy, so what can't be sent would have no place; give it a"
            " dead-letter queue, or use SOURCE=nats,sqs to keep dead letters in NATS"
        )
    return SqsSource(queue, await SqsMailQueue.of(queue), dead_letters, visibility=settings.ack_wait)


async def open_marks(settings: Settings, services: Supervisor) -> SqsMailQueue | None:
    """The queue for who takes no mail from it, and only has to say what it stored before a moment; None if we may not ask."""
    try:
        return await SqsMailQueue.of(await services.enter(_queue(settings, str(settings.sqs_queue_url))))
    except SqsError as error:
        hint = "a cancelled topic's mail in the queue is told apart by NATS's clock"
        _log.warning("sqs.not_asked", reason=str(error), hint=hint)
        return None


async def open_events_queue(settings: Settings, url: str, services: Supervisor) -> SqsQueue:
    """The queue that SES's events come through.

    Raises:
        SqsError: there is no such queue, or we may not use it.
    """
    queue = await services.enter(_queue(settings, url))
    await queue.count()
    return queue


def _queue(settings: Settings, url: str) -> AbstractAsyncContextManager[SqsQueue]:
    return SqsQueue.open(url, region=settings.aws_region, endpoint=settings.sqs_endpoint)


def _advise(policy: RedrivePolicy, queue: str) -> None:
    if policy.max_receives < _FEW_RECEIVES:
        _log.warning(
            "sqs.few_receives",
            queue=queue,
            max_receive_count=policy.max_receives,
            hint="SQS counts throttled and interrupted mail too, and moves it away unasked; 1000 leaves it to MAX_ATTEMPTS",
        )
