"""Mail from an SQS queue, and the queue that delivers events from SES."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.message.lane import Lane
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.sources.sqs.dead_letters import SqsDeadLetters
from email_consumer.sources.sqs.mail_queue import SqsMailQueue
from email_consumer.sources.sqs.source import SqsSource
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import RedrivePolicy, SqsQueue

_FEW_RECEIVES = 100
"""A redrive policy with a lower limit moves mail away that was merely throttled for a few minutes."""

_VARIABLES = {Lane.BULK: "SQS_QUEUE_URL", Lane.TRANSACTIONAL: "SQS_TRANSACTIONAL_QUEUE_URL"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SqsOptions:
    region: str
    endpoint: str | None
    mail_queues: Mapping[Lane, str]
    """URLs, bulk first."""
    visibility: float
    """Seconds without a heartbeat after which SQS delivers a mail again."""

    def open(self, url: str) -> AbstractAsyncContextManager[SqsQueue]:
        return SqsQueue.open(url, region=self.region, endpoint=self.endpoint)


async def open_sqs(
    options: SqsOptions, fallback: DeadLetterStore | None, services: Supervisor
) -> tuple[SqsSource, ...]:
    """Open a source for each lane that has a queue, bulk first. `fallback` stores dead letters without a redrive policy.

    Raises:
        OperatorError: dead letters could not be stored anywhere.
        SqsError: a queue does not exist, or we are not allowed to use it.
    """
    queues = {lane: await services.enter(options.open(url)) for lane, url in options.mail_queues.items()}
    mail_queue = await SqsMailQueue.of(queues[Lane.BULK], queues.get(Lane.TRANSACTIONAL))
    return tuple(
        [
            SqsSource(
                queue, mail_queue, await _dead_letters(lane, queue, fallback), visibility=options.visibility, lane=lane
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


async def open_marks(options: SqsOptions, services: Supervisor) -> SqsMailQueue | None:
    """The queues for a process that receives no mail from them but needs `mark`; None if we are not allowed to use them."""
    try:
        queues = {lane: await services.enter(options.open(url)) for lane, url in options.mail_queues.items()}
        return await SqsMailQueue.of(queues[Lane.BULK], queues.get(Lane.TRANSACTIONAL))
    except SqsError as error:
        hint = "mail of cancelled topics in the queue is recognised by NATS's clock"
        _log.warning("sqs.not_asked", reason=str(error), hint=hint)
        return None


async def open_events_queue(options: SqsOptions, url: str, services: Supervisor) -> SqsQueue:
    """Open the queue that delivers events from SES.

    Raises:
        SqsError: the queue does not exist, or we are not allowed to use it.
    """
    queue = await services.enter(options.open(url))
    await queue.count()
    return queue


def _warn_if_few_receives(policy: RedrivePolicy, queue: str) -> None:
    if policy.max_receives < _FEW_RECEIVES:
        _log.warning(
            "sqs.few_receives",
            queue=queue,
            max_receive_count=policy.max_receives,
            hint="SQS counts throttled and interrupted mail too, and moves it away unasked; 1000 leaves it to MAX_ATTEMPTS",
        )
