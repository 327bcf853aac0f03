"""`apply` and `destroy` on an AWS that is empty, or not."""

from email_consumer.aws_setup.apply import apply, destroy
from email_consumer.aws_setup.plan import Action, Plan, make_plan
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
