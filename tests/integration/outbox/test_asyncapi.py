"""docs/asyncapi.yaml is true: what is published matches its schema, and so do its own examples."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from nats.aio.client import Client

from email_consumer.core.outcome import Conflict, InDoubt, Outcome, Rejected, Stopped, StopReason
from email_consumer.holds.hold import Holder
from email_consumer.holds.hold_list import HoldList
from email_consumer.outbox.document import TYPES
from email_consumer.suppression.suppression import Reason
from email_consumer_client import parse_event
from tests.factories import ORIGIN as SOURCE
from tests.factories import event, mail
from tests.integration.outbox.harness import recording, stored

_ROOT = Path(__file__).parents[3]
DOCUMENT: dict[str, Any] = yaml.safe_load((_ROOT / "docs" / "asyncapi.yaml").read_text())
SCHEMA: dict[str, Any] = DOCUMENT["components"]["schemas"]["event"]
_EXAMPLES = DOCUMENT["components"]["messages"]["event"]["examples"]


def check(found: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA | {"additionalProperties": False}, format_checker=FormatChecker()).validate(found)
    parsed = parse_event(found)
    assert (parsed.id, parsed.type, parsed.seq) == (found["id"], found["type"], found["seq"])


async def test_everything_that_is_published_matches_the_schema(path: Path, client: Client) -> None:
    outcomes: list[Outcome] = [
        Rejected("no"),
        Stopped(StopReason.CANCELLED),
        Stopped(StopReason.EXPIRED),
        InDoubt("?"),
        Conflict("other"),
    ]
    async with recording(path, client) as outbox:
        await outbox.harness.send(topic_id="t", lane="transactional", tenant="acme")
        for number, outcome in enumerate(outcomes):
            if not isinstance(outcome, Stopped):
                await outbox.harness.claim(f"u-{number}x", topic_id="t")
            await outbox.harness.finish(outcome, f"u-{number}x", topic_id="t")
        for kind in ("Delivery", "DeliveryDelay", "Bounce", "Complaint", "Open", "Click", "Rendering Failure"):
            await outbox.harness.take(event(kind))
        await outbox.harness.suppressions.add("a@example.com", Reason.UNSUBSCRIBED, "", "recipient", "news")
        await outbox.harness.ledger.schedule(mail("later", scheduled_at="2099-01-01T00:00:00Z"), SOURCE)
        holds = HoldList(outbox.harness.database, lambda _: None)
        await holds.place("topic:t", "8 % bounced", Holder.BREAKER)
        await holds.resume("topic:t", by="operator")
        await outbox.publish_all()
    found = await stored(client)
    for each in found:
        check(each)
    assert {each["type"] for each in found} == set(TYPES) == set(SCHEMA["properties"]["type"]["enum"])


@pytest.mark.parametrize("example", _EXAMPLES, ids=[example["name"] for example in _EXAMPLES])
def test_its_examples_match(example: dict[str, Any]) -> None:
    check(example["payload"])
