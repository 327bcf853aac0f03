"""What SES's advisor recommends."""

from email_consumer.aws.control_plane import ControlPlane
from email_consumer.aws.errors import AwsError
from email_consumer.doctor.finding import Finding, error, ok, skipped, warning

_SHOWN = 10


async def check_advice(aws: ControlPlane) -> list[Finding]:
    """The open recommendations, those with a high impact first."""
    try:
        found = await aws.ses("list_recommendations", Filter={"STATUS": "OPEN"}, PageSize=100)
    except AwsError as failure:
        finding = skipped if failure.forbidden or failure.absent else error
        return [finding("ses.advice", str(failure), failure.fix)]
    recommended = sorted(found["Recommendations"], key=lambda each: each.get("Impact") != "HIGH")
    findings = [
        warning(
            "ses.advice",
            f"SES recommends to see to {each['Type']} of {str(each['ResourceArn']).rpartition(':')[2]}"
            f" ({str(each.get('Impact', 'unknown')).lower()} impact): {each.get('Description') or 'no description'}",
            "AWS console: SES, Virtual Deliverability Manager, Advisor.",
        )
        for each in recommended[:_SHOWN]
    ]
    return findings or [ok("ses.advice", "SES's advisor has nothing to say.")]
