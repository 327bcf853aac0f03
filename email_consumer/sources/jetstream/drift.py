"""How an existing stream or consumer differs from what a mail queue needs, in words for the operator.

There are three kinds: errors, with which no mail would be sent; risks, which may lose mail; and values of the consumer that
we update ourselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from email_consumer.sources.jetstream.pull_limits import PullLimits

Changes = dict[str, tuple[Any, Any, str]]
"""By the field's name: its value now and then (times in seconds), and why."""


def covers(pattern: str, subject: str) -> bool:
    """Whether everything sent to `subject` (which may hold wildcards too) matches `pattern`."""
    wanted = subject.split(".")
    tokens = pattern.split(".")
    if tokens[-1] == ">":
        return len(wanted) >= len(tokens) and _same(tokens[:-1], wanted)
    return len(wanted) == len(tokens) and wanted[-1] != ">" and _same(tokens, wanted)


def _same(tokens: list[str], wanted: list[str]) -> bool:
    return all(token in ("*", other) for token, other in zip(tokens, wanted, strict=False))


def stream_errors(config: StreamConfig, subject: str) -> list[str]:
    """Why nothing published to `subject` would reach us."""
    taken = config.subjects or []
    if taken and not any(covers(pattern, subject) for pattern in taken):
        return [f"SUBJECT {subject!r} is not among its subjects ({', '.join(taken)})"]
    return []


def stream_risks(config: StreamConfig) -> list[str]:
    """Settings of the stream that may lose mail."""
    risks = []
    limits = {
        "max_msgs": config.max_msgs,
        "max_bytes": config.max_bytes,
        "max_msgs_per_subject": config.max_msgs_per_subject,
    }
    bounded = [f"{name} {value}" for name, value in limits.items() if value and value > 0]
    if bounded and config.discard != DiscardPolicy.NEW:
        risks.append(f"it drops the oldest mail, sent or not, beyond {' or '.join(bounded)}; set discard to new")
    if config.max_age:
        risks.append(f"it drops mail that waits longer than {config.max_age:g} s (max_age)")
    if config.storage == StorageType.MEMORY:
        risks.append("it is kept in memory: a restart of nats-server loses what waits")
    if config.no_ack:
        risks.append("no_ack is set: publishers can't know whether their mail was stored")
    if config.retention == RetentionPolicy.INTEREST:
        risks.append("retention is interest: mail published while the consumer does not exist is dropped")
    return risks


@dataclass(frozen=True, slots=True)
class ConsumerNeeds:
    """`ack_wait` in seconds; `max_ack_pending` is the least that is enough."""

    subject: str
    ack_wait: float
    max_ack_pending: int
    other_subject: str = ""
    """Of our other consumer in the same stream."""

    @classmethod
    def of(cls, subject: str, ack_wait: float, concurrency: int, other_subject: str = "") -> "ConsumerNeeds":
        """The needs of this many concurrent deliveries. A delayed nak still counts as pending."""
        return cls(subject, ack_wait, max(1_000, 10 * concurrency), other_subject)

    def whole(self, stream: StreamConfig) -> bool:
        """Whether the stream takes nothing but our own subjects, so that a consumer without a filter can be given one."""
        return {self.subject} <= set(stream.subjects or ()) <= {self.subject, self.other_subject}


def consumer_errors(config: ConsumerConfig, stream: StreamConfig, needs: ConsumerNeeds) -> list[str]:
    """Properties of the consumer that can't be updated and prevent its use."""
    errors = []
    if config.deliver_subject:
        errors.append(f"it is a push consumer (to {config.deliver_subject!r}), not a pull consumer")
    if config.ack_policy != AckPolicy.EXPLICIT:
        errors.append(f"its ack policy is {_text(config.ack_policy)!r}, not 'explicit'")
    if config.headers_only:
        errors.append("it delivers headers only, without the mail")
    # Without a filter it is the same if the stream has no other subjects; servers drop such filters.
    filters = config.filter_subjects or [config.filter_subject or ""]
    if filters != [needs.subject] and not (filters == [""] and needs.whole(stream)):
        taken = ", ".join(filters) if filters != [""] else "all subjects"
        errors.append(f"it takes {taken}, SUBJECT is {needs.subject!r}")
    return errors


def consumer_changes(config: ConsumerConfig, stream: StreamConfig, needs: ConsumerNeeds) -> Changes:
    """The values that have to be updated."""
    changes: Changes = {}
    if not config.filter_subject and not config.filter_subjects and stream.subjects != [needs.subject]:
        reason = "it would take the mail of the other lane too"
        changes["filter_subject"] = (config.filter_subject, needs.subject, reason)
    if config.backoff:
        changes["backoff"] = (config.backoff, None, "it overrides ACK_WAIT and adds to our own delays")
    if config.ack_wait != needs.ack_wait:
        changes["ack_wait"] = (config.ack_wait, needs.ack_wait, "it is ACK_WAIT, on which our in-progress signals rely")
    if (config.max_deliver or -1) > 0:
        changes["max_deliver"] = (
            config.max_deliver,
            -1,
            "throttled mail would be given up; attempts are counted by us",
        )
    pending = config.max_ack_pending or -1
    if 0 < pending < needs.max_ack_pending:
        changes["max_ack_pending"] = (
            pending,
            needs.max_ack_pending,
            "mail that waits for its retry would block the rest",
        )
    if config.inactive_threshold:
        changes["inactive_threshold"] = (config.inactive_threshold, None, "it would be deleted while we are stopped")
    return changes


def in_json(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """A field's value as the server writes it."""
    return int(value * 1e9) if name == "ack_wait" else value


def consumer_risks(config: Mapping[str, Any], max_payload: int) -> list[str]:
    """What may keep mail from coming, in a configuration in the server's JSON. `max_payload` is the server's, in bytes."""
    limits = PullLimits.of(config)
    risks = []
    if limits.too_small_for(max_payload):
        risks.append(f"it lets a request ask for {limits.size:,} bytes (max_bytes): a larger mail never comes")
    if 0 < limits.expires < 1:
        risks.append(f"it ends requests after {limits.expires:g} s (max_expires): mail may wait for a second")
    if config.get("priority_policy") == "pinned_client":
        risks.append("it serves one client at a time (priority_policy pinned_client): further workers are idle")
    return risks


def _text(value: object) -> str:
    return str(getattr(value, "value", value))
