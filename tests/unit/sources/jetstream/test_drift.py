import pytest
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from email_consumer.sources.jetstream.drift import (
    ConsumerNeeds,
    consumer_changes,
    consumer_errors,
    covers,
    stream_risks,
)

NEEDS = ConsumerNeeds("messages.email", ack_wait=30.0, max_ack_pending=1_000, other_subject="messages.transactional")
STREAM = StreamConfig(subjects=["messages.email"])


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("messages.email", "messages.email", True),
        ("messages.*", "messages.email", True),
        ("messages.*", "messages.email.bulk", False),
        ("messages.>", "messages.email.bulk", True),
        ("messages.>", "messages", False),
        (">", "messages.email", True),
        ("messages.*", "messages.*", True),
        ("messages.*", "messages.>", False),
        ("messages.email", "messages.*", False),
        ("messages.>", "messages.>", True),
        ("other.*", "messages.email", False),
        ("messages", "messages.email", False),
    ],
)
def test_covers(pattern: str, subject: str, expected: bool) -> None:
    assert covers(pattern, subject) is expected


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (StreamConfig(max_msgs=1_000), "oldest mail, sent or not, beyond max_msgs 1000"),
        (StreamConfig(max_bytes=5), "beyond max_bytes 5"),
        (StreamConfig(max_msgs_per_subject=1), "beyond max_msgs_per_subject 1"),
        (StreamConfig(max_age=60.0), "waits longer than 60 s"),
        (StreamConfig(storage=StorageType.MEMORY), "kept in memory"),
        (StreamConfig(no_ack=True), "no_ack"),
        (StreamConfig(retention=RetentionPolicy.INTEREST), "interest"),
    ],
)
def test_what_may_cost_mail_in_a_stream_is_named(config: StreamConfig, words: str) -> None:
    (risk,) = stream_risks(config)
    assert words in risk


@pytest.mark.parametrize(
    "config",
    [
        StreamConfig(max_msgs=-1, max_bytes=-1, max_msgs_per_subject=-1, max_age=0.0),
        StreamConfig(max_msgs=1_000, discard=DiscardPolicy.NEW),
    ],
)
def test_a_stream_that_refuses_before_it_drops_is_no_risk(config: StreamConfig) -> None:
    assert stream_risks(config) == []


@pytest.mark.parametrize(
    ("differing", "field", "wanted"),
    [
        ({"ack_wait": 10.0}, "ack_wait", 30.0),
        ({"max_deliver": 5}, "max_deliver", -1),
        ({"max_ack_pending": 100}, "max_ack_pending", 1_000),
        ({"backoff": [1.0, 5.0]}, "backoff", None),
        ({"inactive_threshold": 60.0}, "inactive_threshold", None),
    ],
)
def test_what_is_brought_in_line(differing: dict[str, object], field: str, wanted: object) -> None:
    config = ConsumerConfig(ack_wait=30.0, max_deliver=-1, max_ack_pending=1_000).evolve(**differing)
    changes = consumer_changes(config, STREAM, NEEDS)
    assert list(changes) == [field]
    assert changes[field][:2] == (differing[field], wanted)


@pytest.mark.parametrize("pending", [1_000, 20_000, -1, None])
def test_more_pending_than_we_need_is_left_as_it_is(pending: int | None) -> None:
    config = ConsumerConfig(ack_wait=30.0, max_deliver=-1, max_ack_pending=pending)
    assert consumer_changes(config, STREAM, NEEDS) == {}


@pytest.mark.parametrize(
    ("subjects", "errors", "changes"),
    [
        (["messages.email"], 0, []),
        (["messages.email", "messages.transactional"], 0, ["filter_subject"]),
        (["messages.email", "messages.sms"], 1, ["filter_subject"]),
        (["messages.*"], 1, ["filter_subject"]),
    ],
)
def test_a_consumer_without_a_filter_is_given_one_only_if_all_it_takes_is_ours(
    subjects: list[str], errors: int, changes: list[str]
) -> None:
    stream = StreamConfig(subjects=subjects)
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=30.0, max_deliver=-1, max_ack_pending=1_000)
    assert len(consumer_errors(config, stream, NEEDS)) == errors
    assert list(consumer_changes(config, stream, NEEDS)) == changes
