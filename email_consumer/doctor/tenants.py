"""Tenants of SES: whether they may send, and may use what their mail is sent with."""

from collections.abc import Collection

from email_consumer.aws.control_plane import ControlPlane
from email_consumer.aws.errors import AwsError
from email_consumer.doctor.finding import Finding, error, ok, skipped, warning
from email_consumer.message.address import Address

_EXAMINED = 20
"""Tenants whose associations are read, each by one call."""
_PAGE = 100


async def check_tenants(aws: ControlPlane, sender: Address, configuration_sets: Collection[str]) -> list[Finding]:
    """What SES knows of its tenants; `configuration_sets` are those that the settings name."""
    try:
        listed = await aws.ses("list_tenants", PageSize=_PAGE)
        tenants = listed["Tenants"]
        if not tenants:
            return [ok("ses.tenants", "SES has no tenants, and mail needs none.")]
        findings = [_paused(each) for each in await _entities(aws, "SENDING_STATUS", "DISABLED")]
        findings += [_at_risk(each) for each in await _entities(aws, "REPUTATION_IMPACT", "HIGH")]
        for each in tenants[:_EXAMINED]:
            findings += await _associations(aws, each["TenantName"], sender, configuration_sets)
    except AwsError as failure:
        return [(skipped if failure.forbidden else error)("ses.tenants", str(failure), failure.fix)]
    more = "" if len(tenants) <= _EXAMINED and "NextToken" not in listed else f" The first {_EXAMINED} were examined."
    return findings or [ok("ses.tenants", f"{_counted(len(tenants))} may send.{more}")]


async def _entities(aws: ControlPlane, name: str, value: str) -> list[str]:
    """Tenants, and what else has a reputation, to which the filter applies."""
    found = await aws.ses("list_reputation_entities", Filter={name: value}, PageSize=_PAGE)
    return [_entity(str(each["ReputationEntityReference"])) for each in found["ReputationEntities"]]


def _entity(arn: str) -> str:
    tenant = arn.partition(":tenant/")[2].partition("/")[0]
    return f"the tenant {tenant}" if tenant else arn


async def _associations(
    aws: ControlPlane, tenant: str, sender: Address, configuration_sets: Collection[str]
) -> list[Finding]:
    found = await aws.ses("list_tenant_resources", TenantName=tenant, PageSize=_PAGE)
    if "NextToken" in found:  # as many as nobody has by mistake
        return []
    resources = {str(each["ResourceArn"]).rpartition(":")[2] for each in found["TenantResources"]}
    findings = []
    for name in sorted(configuration_sets):
        if f"configuration-set/{name}" not in resources:
            text = (
                f"The tenant {tenant} may not use the configuration set {name}: SES refuses the tenant's mail with it."
            )
            findings.append(error("ses.tenants", text, _associate(tenant, f"configuration-set/{name}")))
    if not resources & {f"identity/{name}" for name in _identities(sender)}:
        text = (
            f"The tenant {tenant} may not send from {sender.addr_spec}: only its mail with another from_email goes out."
        )
        findings.append(warning("ses.tenants", text, _associate(tenant, f"identity/{sender.domain}")))
    return findings


def _identities(sender: Address) -> list[str]:
    labels = sender.domain.split(".")
    return [sender.addr_spec, *(".".join(labels[start:]) for start in range(len(labels)))]


def _paused(entity: str) -> Finding:
    fix = "See its findings in the AWS console (SES, Tenant management), fix the cause, and reinstate it."
    return error("ses.tenants", f"SES does not send for {entity}, which is paused.", fix)


def _at_risk(entity: str) -> Finding:
    text = f"The reputation of {entity} is bad: SES may pause it."
    return warning("ses.tenants", text, "See ses.advice, and whom its mail goes to.")


def _associate(tenant: str, resource: str) -> str:
    arn = f"arn:aws:ses:REGION:ACCOUNT:{resource}"
    return f"`aws sesv2 create-tenant-resource-association --tenant-name {tenant} --resource-arn {arn}`"


def _counted(tenants: int) -> str:
    return "1 tenant" if tenants == 1 else f"{tenants}{'+' if tenants == _PAGE else ''} tenants"
