"""Tenants, and the resources that they may use."""

from typing import Any

from email_consumer.aws_setup.kinds.kind import Aws, Found, Kind, Lack, Properties, Tags, found, tag_list, tag_map


class Tenant(Kind):
    """A part of the account's mail with a reputation that is kept apart."""

    label = "tenant"
    reads = ("ses:GetTenant", "ses:ListTenantResources")
    makes = ("ses:CreateTenant", "ses:CreateTenantResourceAssociation", "ses:TagResource")
    removes = ("ses:DeleteTenant",)

    def name(self, wanted: Properties) -> str:
        return str(wanted["TenantName"])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        answer = await found(aws, "sesv2", "get_tenant", TenantName=self.name(wanted))
        if answer is None:
            return None
        lacks = [Lack(f"the association with {arn}") for arn in await self._absent(aws, wanted)]
        return Found(tag_map(answer["Tenant"].get("Tags")), tuple(lacks))

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:
        await aws.call("sesv2", "create_tenant", TenantName=self.name(wanted), Tags=tag_list(tags))
        await self.change(aws, wanted)

    async def change(self, aws: Aws, wanted: Properties) -> None:
        for arn in await self._absent(aws, wanted):
            await aws.call("sesv2", "create_tenant_resource_association", TenantName=self.name(wanted), ResourceArn=arn)

    async def others(self, aws: Aws, wanted: Properties, ours: frozenset[str]) -> list[str]:  # noqa: ARG002 - of Kind
        return [
            f"the association with {arn}"
            for arn in await self._associated(aws, wanted)
            if arn not in _associations(wanted)
        ]

    async def remove(self, aws: Aws, wanted: Properties) -> None:
        await found(aws, "sesv2", "delete_tenant", TenantName=self.name(wanted))

    async def _absent(self, aws: Aws, wanted: Properties) -> list[str]:
        present = await self._associated(aws, wanted)
        return [arn for arn in _associations(wanted) if arn not in present]

    async def _associated(self, aws: Aws, wanted: Properties) -> list[str]:
        listed = await _all(aws, "list_tenant_resources", "TenantResources", TenantName=self.name(wanted))
        return [each["ResourceArn"] for each in listed]


async def other_tenants(aws: Aws, resource: str, ours: frozenset[str]) -> list[str]:
    """The tenants that use a resource, such as `the tenant acme`, without those that are `ours`."""
    listed = await _all(aws, "list_resource_tenants", "ResourceTenants", ResourceArn=resource)
    return [f"the tenant {each['TenantName']}" for each in listed if each["TenantName"] not in ours]


def _associations(wanted: Properties) -> list[str]:
    return [each["ResourceArn"] for each in wanted["ResourceAssociations"]]


async def _all(aws: Aws, operation: str, key: str, **arguments: object) -> list[dict[str, Any]]:
    """All pages; nothing if what is asked about is not there."""
    listed: list[dict[str, Any]] = []
    while answer := await found(aws, "sesv2", operation, **arguments):
        listed += answer.get(key, [])
        if not answer.get("NextToken"):
            break
        arguments["NextToken"] = answer["NextToken"]
    return listed
