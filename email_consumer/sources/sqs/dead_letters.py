"""The queue's own dead-letter queue: what can't be sent is kept there as it came, details in message attributes."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog

from email_consumer.core.dead_letters import DeadLetterRefusedError
from email_consumer.core.delivery import REPLAY_OF, Original
from email_consumer.core.mail_queue import LANE
from email_consumer.sources.jetstream.dead_letter import ATTEMPTS, FAILED_AT, REASON, REFERENCE, header_value
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import MOST_ATTRIBUTES, SqsQueue

KIND = "Email-Kind"
"""Attribute: a `DeadLetterKind`, which in the stream is the subject's end."""

_log = structlog.get_logger(__name__)


class SqsDeadLetters:
    """See `email_consumer.core.dead_letters.DeadLetterStore`. SQS has no memory: a crash right after `store` leaves a second copy."""

    def __init__(self, queue: SqsQueue) -> None:
        """`queue` is the one that the redrive policy of the source's queue names."""
        self._queue = queue

    async def store(self, original: Original, kind: str, reason: str, attempts: int) -> None:
        """Return once the copy is in the queue.

        Raises:
            DeadLetterRefusedError: the body is larger than the queue takes.
            SqsError: it is not, or is not known to be; try again.
        """
        mark = {
            # Moved back to its source it is a replay: without this the ledger would take it for a duplicate. The time
            # tells a second dead letter from the first, should SQS move it back under its old name.
            REPLAY_OF: header_value(f"{original.reference}:{original.stored_at:.3f}"),
            KIND: kind,
            **({LANE: original.headers[LANE]} if LANE in original.headers else {}),
        }
        details = mark | {
            REASON: header_value(reason),
            REFERENCE: header_value(original.reference),
            ATTEMPTS: str(attempts),
            FAILED_AT: datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
        }
        body = original.payload.decode()
        # The body is what must be kept. One as large as SQS takes leaves little room for attributes, or none.
        for attributes in (details | _as_many_as_fit(original.headers, details), details, mark, {}):
            try:
                await self._queue.send(body, _filled(attributes))
            except SqsError as error:
                if error.code != "InvalidParameterValue":
                    raise
                refusal = str(error)
            else:
                if not attributes:
                    _log.warning("dead_letter.bare", reference=original.reference, kind=kind, reason=reason)
                return
        raise DeadLetterRefusedError(refusal)


def _as_many_as_fit(given: Mapping[str, str], details: Mapping[str, str]) -> dict[str, str]:
    foreign = {name: value for name, value in given.items() if name not in details}
    return dict(list(foreign.items())[: MOST_ATTRIBUTES - len(details)])


def _filled(attributes: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if value}  # SQS takes no empty ones
