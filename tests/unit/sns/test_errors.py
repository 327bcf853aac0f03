"""All refusals are counted, and logged without flooding the log."""

from structlog.testing import capture_logs

from email_consumer.sns.errors import MessageRefusedError, RefusalLog


def test_the_first_of_each_cause_is_logged_with_what_to_fix() -> None:
    refusals = RefusalLog()
    with capture_logs() as lines:
        for _ in range(5):
            refusals.record(MessageRefusedError("topic", "add it to SNS_TOPIC_ARNS", 403))
        refusals.record(MessageRefusedError("signature", "forged", 403))
    assert [(line["cause"], line["reason"]) for line in lines] == [
        ("topic", "add it to SNS_TOPIC_ARNS"),
        ("signature", "forged"),
    ]
    assert refusals.refused == {"topic": 5, "signature": 1}
