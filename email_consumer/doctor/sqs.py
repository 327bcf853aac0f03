"""The SQS queues: those that mail comes from, and the one that SES's events come through."""

from botocore.exceptions import BotoCoreError

from email_consumer.doctor.finding import Finding, error, ok, warning
from email_consumer.runtime.counted import counted
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import SqsQueue

_FEW_RECEIVES = 100
"""A redrive policy that allows fewer takes away mail that was only throttled for some minutes."""
_FIX = "Fix {variable}, or what the error names; `email-consumer aws apply` creates queues."
_UNSEEN = "Whether they are decodable is unknown: SQS can't show messages without delivering them."


async def check_source_queue(
    variable: str, url: str, *, region: str, endpoint: str | None, dead_letters_elsewhere: bool
) -> list[Finding]:
    """A queue of mail, and the `variable` that names it. `dead_letters_elsewhere`: NATS keeps what the queue has no place for."""
    try:
        async with SqsQueue.open(url, region=region, endpoint=endpoint) as queue:
            waiting, policy = await queue.count(), await queue.redrive_policy()
    except (SqsError, BotoCoreError) as failure:
        return [error("sqs.source", f"{failure}.", _FIX.format(variable=variable))]
    found = ok("sqs.source", f"Queue {queue.name} holds {counted(waiting, 'message')}. {_UNSEEN}")
    redrive = "Give it a RedrivePolicy with a dead-letter queue and a maxReceiveCount of 1000"
    if policy is None and not dead_letters_elsewhere:
        text = (
            f"Queue {queue.name} has no RedrivePolicy: dead letters could not be stored, so the daemon does not start."
        )
        return [found, error("sqs.dead_letters", text, f"{redrive}, or use SOURCE=nats,sqs.")]
    if policy and policy.max_receives < _FEW_RECEIVES:
        text = f"Queue {queue.name} gives mail up after {policy.max_receives} receives, throttled ones included."
        return [found, warning("sqs.dead_letters", text, f"{redrive}: MAX_ATTEMPTS then decides.")]
    return [found]


async def check_events_queue(url: str, *, region: str, endpoint: str | None) -> Finding:
    """SNS_EVENTS_QUEUE_URL."""
    try:
        async with SqsQueue.open(url, region=region, endpoint=endpoint) as queue:
            return ok("sqs.events", f"Queue {queue.name} holds {counted(await queue.count(), 'event')}.")
    except (SqsError, BotoCoreError) as failure:
        return error("sqs.events", f"{failure}.", _FIX.format(variable="SNS_EVENTS_QUEUE_URL"))
