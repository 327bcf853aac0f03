"""What can go wrong with a queue, in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from email_consumer.aws.client import UNREADABLE, NoAnswerError
from email_consumer.runtime.errors import OperatorError

_HINTS = {
    "QueueDoesNotExist": "there is no such queue; check the URL, the account and AWS_REGION",
    "AccessDenied": "these AWS credentials lack a permission; docs/sqs.md lists those that are needed",
    "InvalidClientTokenId": "AWS does not know these credentials",
    "ExpiredToken": "the AWS credentials have expired",
    "KMS.AccessDenied": "the queue is encrypted, and these AWS credentials may not use its key",
}
_SPELLINGS = {
    "AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExist",
    "AWS.SimpleQueueService.QueueDoesNotExist": "QueueDoesNotExist",
    "AccessDeniedException": "AccessDenied",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "KmsAccessDenied": "KMS.AccessDenied",
}


class SqsError(OperatorError):
    """An SQS call failed; the text says which and, if known, what to fix."""

    def __init__(self, text: str, code: str = "") -> None:
        """`code` is SQS's own, in its current spelling; empty where there was no answer."""
        super().__init__(text)
        self.code = code


@contextmanager
def in_plain_words(queue_url: str) -> Iterator[None]:
    """Turn what `aws.answered` raises into `SqsError`."""
    try:
        yield
    except ClientError as error:
        detail = error.response.get("Error", {})
        code = detail.get("Code", "")
        code = _SPELLINGS.get(code, code)
        text = _HINTS.get(code) or detail.get("Message") or "refused"
        raise SqsError(f"SQS queue {queue_url}: {text} ({error.operation_name}: {code})", code) from error
    except NoAnswerError as error:
        raise SqsError(f"SQS queue {queue_url}: no answer: {error}") from error


@contextmanager
def unreadable_as_sqs_error(queue_url: str) -> Iterator[None]:
    """Turn what reading an answer ends in that lacks what SQS gives, or has it in another form, into `SqsError`."""
    try:
        yield
    except UNREADABLE as error:
        raise SqsError(f"SQS queue {queue_url}: what answered is not SQS ({error!r})") from error
