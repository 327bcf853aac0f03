"""`apply` and `destroy` on an AWS that is empty, or not."""

import pytest

from email_consumer.aws_setup.apply import apply, destroy
from email_consumer.aws_setup.plan import Action, Plan, make_plan
from email_consumer.aws_setup.report import records
from email_consumer.aws_setup.values import Values
from tests.integration.aws_setup.cloud import Cloud


async def applied(aws: Cloud, values: Values) -> list[str]:
    """Plan and apply; the ids of what was made or changed."""
    plan = await make_plan(aws.aws, values)
    return [step.wanted.id async for step in apply(aws.aws, plan)]


def actions(plan: Plan) -> set[Action]:
    return {step.action for step in plan.steps}


async def test_apply_makes_everything_and_then_nothing(aws: Cloud) -> None:
    values = aws.values()
    done = await applied(aws, values)
    assert done == [each.id for each in values.wanted()]
    before = await aws.dump()
    plan = await make_plan(aws.aws, values)
    assert actions(plan) <= {Action.EXISTS, Action.CONFIRM}
    assert await applied(aws, values) in ([], ["EndpointSubscription"])
    assert await aws.dump() == before


async def test_destroy_leaves_nothing(aws: Cloud) -> None:
    before = await aws.dump()
    values = aws.values()
    await applied(aws, values)
    removed = [each.text async for each in destroy(aws.aws, aws.values(Events="https", MailQueues="false"))]
    assert len(removed) >= 9
    assert await aws.dump() == before
    assert [each async for each in destroy(aws.aws, values)] == []


@pytest.mark.parametrize("events", ["https"], indirect=True)
async def test_the_records_are_in_the_zone_that_ses_names(aws: Cloud) -> None:
    values = aws.values()
    await applied(aws, values)
    identities = (await aws.sandbox.get("/sandbox/identities"))["identities"]
    elsewhere = {name: each | {"signing_zone": "dkim.eu-south-1.amazonses.com"} for name, each in identities.items()}
    await aws.sandbox.put("/sandbox/identities", {"identities": elsewhere})
    found = records(await make_plan(aws.aws, values))
    assert [record.value.partition(".")[2] for record in found[:3]] == ["dkim.eu-south-1.amazonses.com"] * 3
    assert [(record.name, record.type) for record in found[3:]] == [
        ("bounce.example.com", "MX"),
        ("bounce.example.com", "TXT"),
        ("_dmarc.example.com", "TXT"),
    ]


@pytest.mark.parametrize("events", ["https"], indirect=True)
async def test_a_domain_of_others_needs_no_records_for_a_return_path_that_it_has_not(aws: Cloud) -> None:
    await aws.aws.call("sesv2", "create_email_identity", EmailIdentity="example.com")
    await applied(aws, aws.values())
    found = records(await make_plan(aws.aws, aws.values()))
    assert [record.type for record in found] == ["CNAME", "CNAME", "CNAME", "TXT"]
