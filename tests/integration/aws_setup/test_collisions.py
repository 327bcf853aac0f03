"""Resources of others under our names: they are used as they are, or nothing is done; none is changed or removed."""

import json

import pytest

from email_consumer.aws_setup.apply import ConflictError, destroy
from email_consumer.aws_setup.plan import make_plan
from tests.integration.aws_setup import collisions
from tests.integration.aws_setup.cloud import Cloud
from tests.integration.aws_setup.test_apply import applied

pytestmark = pytest.mark.parametrize("events", ["sqs"], indirect=True)


def _is_part(before: bytes, after: bytes) -> bool:
    """Whether each resource of the one dump is, unchanged, in the other."""
    had, has = _resources(before), _resources(after)
    return all(has[kind].get(name) == each for kind, resources in had.items() for name, each in resources.items())


def _resources(dump: bytes) -> dict[str, dict[str, object]]:
    """By kind and name."""
    document = json.loads(dump)
    scripts = {
        "identities": document["identities"]["identities"],
        "configuration sets": document["configuration sets"]["configuration_sets"],
    }
    return {**document, **scripts}


async def test_what_does_the_same_is_used_as_it_is(aws: Cloud) -> None:
    values = aws.values()
    for name, collide in collisions.goes_on.items():
        await aws.reset()
        await collide(aws, values)
        before = await aws.dump()
        await applied(aws, values)
        assert (await make_plan(aws.aws, values)).changes == [], name
        assert _is_part(before, await aws.dump()), name
        async for _ in destroy(aws.aws, values):
            pass
        assert await aws.dump() == before, name


async def test_what_does_not_stops_it_before_anything_is_changed(aws: Cloud) -> None:
    values = aws.values()
    for name, collide in collisions.stops.items():
        await aws.reset()
        await collide(aws, values)
        before = await aws.dump()
        with pytest.raises(ConflictError, match="not ours"):
            await applied(aws, values)
        assert [each async for each in destroy(aws.aws, values)] == [], name
        assert await aws.dump() == before, name
