"""The model's events have the form of AWS's own examples."""

import json
from pathlib import Path

import pytest

from email_consumer.feedback.event_reader import read
from email_consumer.feedback.events import Event
from tests.simulation.clock import EPOCH
from tests.simulation.sns.records import KINDS, MailFacts, record

_EXAMPLES = Path(__file__).parents[2] / "unit" / "feedback" / "examples"
_FILES = {"DeliveryDelay": "delivery_delay", "Bounce:soft": "bounce"}
_NOT_IN_THE_EXAMPLES = {"complaintSubType"}
"""Fields that AWS documents, and its example lacks."""
MAIL = MailFacts("0100-1", 1.0, ("you@example.org",), {"uuid": "u-1", "instance": "test"})


def fields(value: object, within: str = "") -> set[str]:
    """The paths of all fields."""
    match value:
        case dict():
            return {
                each
                for name, inner in value.items()
                for each in {f"{within}.{name}", *fields(inner, f"{within}.{name}")}
            }
        case list():
            return {each for inner in value for each in fields(inner, within)}
    return set()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_it_has_no_field_that_aws_has_not(kind: str) -> None:
    example = json.loads((_EXAMPLES / f"event_{_FILES.get(kind, kind.lower())}.json").read_text())
    ours = json.loads(record(kind, MAIL, 2.0))
    assert ours["eventType"] == example["eventType"]
    ours["mail"] = {
        name: value
        for name, value in ours["mail"].items()
        if name not in {"tags", "sourceArn", "headers", "commonHeaders"}
    }
    assert {
        each for each in fields(ours) - fields(example) if each.rpartition(".")[2] not in _NOT_IN_THE_EXAMPLES
    } == set()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_program_reads_it(kind: str) -> None:
    event = read(record(kind, MAIL, 2.0), EPOCH + 3.0)
    assert isinstance(event, Event)
    assert (event.kind, event.message_id, event.tag, event.instance) == (
        kind.partition(":")[0],
        "0100-1",
        "u-1",
        "test",
    )
    assert [each.recipient for each in event.recipients] == ["you@example.org"]
    assert event.happened_at == EPOCH + (1.0 if kind in {"Send", "Reject"} else 2.0)
