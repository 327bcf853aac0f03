"""botocore's exceptions in plain words."""

import pytest
from botocore.exceptions import ClientError

from email_consumer.aws.client import NoAnswerError
from email_consumer.sqs.errors import SqsError, in_plain_words

_URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/mail"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AccessDenied", "these AWS credentials lack a permission; docs/sqs.md lists those that are needed"),
        ("AccessDeniedException", "these AWS credentials lack a permission; docs/sqs.md lists those that are needed"),
        ("AWS.SimpleQueueService.NonExistentQueue", "there is no such queue"),
        ("UnrecognizedClientException", "AWS does not know these credentials"),
        ("OverLimit", "too many in flight"),
    ],
)
def test_an_answer(code: str, text: str) -> None:
    answer = {"Error": {"Code": code, "Message": "too many in flight"}}
    with pytest.raises(SqsError, match=text) as caught, in_plain_words(_URL):
        raise ClientError(answer, "ReceiveMessage")  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"SQS queue {_URL}: ")
    assert str(caught.value).endswith(f"(ReceiveMessage: {caught.value.code})")


def test_no_answer() -> None:
    with pytest.raises(SqsError, match="no answer: reset by peer"), in_plain_words(_URL):
        raise NoAnswerError("reset by peer")
