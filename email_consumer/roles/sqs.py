"""Mail from an SQS queue, and the queue that delivers events from SES."""

from contextlib import AbstractAsyncContextManager

import structlog

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.message.lane import Lane
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.settings import Settings
from email_consumer.sources.sqs.dead_letters import SqsDeadLetters
from email_consumer.sources.sqs.mail_queue import SqsMailQueue
from email_consumer.sources.sqs.source import SqsSource
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import RedrivePolicy, SqsQueue

_FEW_RECEIVES = 100
"""A redrive policy with a lower limit moves mail away that was merely throttled for a few minutes."""

_VARIABLES = {Lane.BULK: "SQS_QUEUE_URL", Lane.TRANSACTIONAL: "SQS_TRANSACTIONAL_QUEUE_URL"}

_log = structlog.get_logger(__name__)


async def open_sqs(settings: Settings, fallback: DeadLetterStore | None, services: Supervisor) -> tuple[SqsSource, ...]:
    """Open a source for each lane that has a queue, bulk first. `fallback` stores dead letters without a redrive policy.

    Raises:
        OperatorError: dead letters could not be stored anywhere.
        SqsError: a queue does not exist, or we are not allowed to use it.
    """
    urls = {Lane.BULK: settings.sqs_queue_url, Lane.TRANSACTIONAL: settings.sqs_transactional_queue_url}
    queues = {lane: await services.enter(_queue(settings, str(url))) for lane, url in urls.items() if url}
    mail_queue = await SqsMailQueue.of(queues[Lane.BULK], queues.get(Lane.TRANSACTIONAL))
    return tuple(
        [
            SqsSource(
                queue, mail_queue, await _dead_letters(lane, queue, fallback), visibility=settings.ack_wait, lane=lane
            )
            for lane, queue in queues.items()
        ]
    )


async def _dead_letters(lane: Lane, queue: SqsQueue, fallback: DeadLetterStore | None) -> DeadLetterStore:
    policy = await queue.redrive_policy()
    if policy:
        _warn_if_few_receives(policy, queue.name)
        return SqsDeadLetters(await queue.by_arn(policy.dead_letter_arn))
    if fallback is None:
        raise OperatorError(
            f"{_VARIABLES[lane]}: the queue has no RedrivePolicy, so dead letters could not be stored; give it a"
            " dead-letter queue, or use SOURCE=nats,sqs to store dead letters in NATS"
        )
    return fallback


async def open_marks(settings: Settings, services: Supervisor) -> SqsMailQueue | None:
    """The queue for a process that receives no mail from it but needs `mark`; None if we are not allowed to use it."""
    try:
        return await SqsMailQueue.of(await services.enter(_queue(settings, str(settings.sqs_queue_url))))
    except SqsError as error:
        hint = "mail of cancelled topics in the queue is recognised by NATS's clock"
        _log.warning("sqs.not_asked", reason=str(error), hint=hint)
        return None


async def open_events_queue(settings: Settings, url: str, services: Supervisor) -> SqsQueue:
    """Open the queue that delivers events from SES.

    Raises:
        SqsError: the queue does not exist, or we are not allowed to use it.
    """
    queue = await services.enter(_queue(settings, url))
    await queue.count()
    return queue


def _queue(settings: Settings, url: str) -> AbstractAsyncContextManager[SqsQueue]:
    return SqsQueue.open(url, region=settings.aws_region, endpoint=settings.sqs_endpoint)


def _warn_if_few_receives(policy: RedrivePolicy, queue: str) -> None:
    if policy.max_receives < _FEW_RECEIVES:
        _log.warning(
            "sqs.few_receives",
            queue=queue,
            max_receive_count=policy.max_receives,
            hint="SQS counts throttled and interrupted mail too, and moves it away unasked; 1000 leaves it to MAX_ATTEMPTS",
        )
