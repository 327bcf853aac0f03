"""Tenants: what they may use, whether they may send, which suppression list their mail goes by."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox_clients import client
from sandbox_mail import simple_mail
from ses_sandbox.testing import Control, SandboxTask

_ARN = "arn:aws:ses:ap-northeast-2:000000000000:"
_IDENTITY = _ARN + "identity/example.com"
_SET = _ARN + "configuration-set/events"


async def create(ses: Any, *resources: str, name: str = "acme") -> str:
    arn: str = (await ses.create_tenant(TenantName=name))["TenantArn"]
    for resource in resources:
        await ses.create_tenant_resource_association(TenantName=name, ResourceArn=resource)
    return arn


async def refusal(ses: Any, **changes: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        await ses.send_email(**simple_mail(**changes))
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


async def test_every_tenant_exists_until_the_first_is_created(sandbox: Control, ses: Any) -> None:
    await ses.send_email(**simple_mail(TenantName="anybody"))
    [mail] = (await sandbox.get("/messages"))["messages"]
    assert mail["tenant"] == "anybody"
    await create(ses)
    code, text = await refusal(ses, TenantName="anybody")
    assert (code, text) == ("NotFoundException", "Tenant anybody for AwsAccountId 000000000000 not found.")


async def test_a_tenant_uses_what_is_associated_with_it(ses: Any) -> None:
    await create(ses)
    code, text = await refusal(ses, TenantName="acme", ConfigurationSetName="events")
    assert code == "AccessDeniedException"
    assert text == f"Tenant not associated with resources [{_IDENTITY}, {_SET}]."
    for resource in (_IDENTITY, _SET, _SET):
        await ses.create_tenant_resource_association(TenantName="acme", ResourceArn=resource)
    await ses.send_email(**simple_mail(TenantName="acme", ConfigurationSetName="events"))
    await ses.send_email(**simple_mail(ConfigurationSetName="other"))

    found = await ses.list_tenant_resources(TenantName="acme", Filter={"RESOURCE_TYPE": "CONFIGURATION_SET"})
    assert [each["ResourceArn"] for each in found["TenantResources"]] == [_SET]
    [owner] = (await ses.list_resource_tenants(ResourceArn=_SET))["ResourceTenants"]
    assert owner["TenantName"] == "acme"
    await ses.delete_tenant_resource_association(TenantName="acme", ResourceArn=_SET)
    assert (await refusal(ses, TenantName="acme", ConfigurationSetName="events"))[0] == "AccessDeniedException"


async def test_a_paused_tenant_stops_nobody_else(ses: Any) -> None:
    arn = await create(ses, _IDENTITY)
    await create(ses, _IDENTITY, name="umbrella")
    named = {"ReputationEntityType": "RESOURCE", "ReputationEntityReference": arn}
    await ses.update_reputation_entity_customer_managed_status(**named, SendingStatus="DISABLED")

    code, text = await refusal(ses, TenantName="acme")
    assert (code, "acme" in text) == ("SendingPausedException", True)
    await ses.send_email(**simple_mail(TenantName="umbrella"))
    assert (await ses.get_reputation_entity(**named))["ReputationEntity"]["SendingStatusAggregate"] == "DISABLED"
    assert (await ses.get_tenant(TenantName="acme"))["Tenant"]["SendingStatus"] == "DISABLED"
    disabled = await ses.list_reputation_entities(Filter={"SENDING_STATUS": "DISABLED"})
    assert [each["ReputationEntityReference"] for each in disabled["ReputationEntities"]] == [arn]

    await ses.update_reputation_entity_customer_managed_status(**named, SendingStatus="REINSTATED")
    await ses.send_email(**simple_mail(TenantName="acme"))


async def test_what_ses_pauses_the_customer_cannot_resume(sandbox: Control, ses: Any) -> None:
    await sandbox.put("/sandbox/tenants", {"tenants": {"acme": {"ses_status": "DISABLED", "impact": "HIGH"}}})
    arn = (await ses.get_tenant(TenantName="acme"))["Tenant"]["TenantArn"]
    named = {"ReputationEntityType": "RESOURCE", "ReputationEntityReference": arn}
    await ses.update_reputation_entity_customer_managed_status(**named, SendingStatus="REINSTATED")
    entity = (await ses.get_reputation_entity(**named))["ReputationEntity"]
    assert (entity["SendingStatusAggregate"], entity["ReputationImpact"]) == ("DISABLED", "HIGH")
    assert (await refusal(ses, TenantName="acme"))[0] == "SendingPausedException"


async def test_tenants_survive_and_are_listed_in_pages(tmp_path: Any) -> None:
    async with SandboxTask(tmp_path) as sandbox, client("sesv2", sandbox.url) as ses:
        for name in ("c", "a", "b"):
            await create(ses, _IDENTITY, name=name)
        with pytest.raises(ses.exceptions.AlreadyExistsException):
            await create(ses, name="a")
        await ses.delete_tenant(TenantName="c")
    async with SandboxTask(tmp_path) as sandbox, client("sesv2", sandbox.url) as ses:
        first = await ses.list_tenants(PageSize=1)
        rest = await ses.list_tenants(PageSize=1, NextToken=first["NextToken"])
        pages = [[each["TenantName"] for each in page["Tenants"]] for page in (first, rest)]
        assert (pages, "NextToken" in rest) == ([["a"], ["b"]], False)
        await ses.send_email(**simple_mail(TenantName="a"))


async def test_recommendations_are_scripted(sandbox: Control, ses: Any) -> None:
    found = [{"resource_arn": _IDENTITY, "type": "DKIM", "impact": "HIGH", "description": "DKIM1"}]
    found.append({"resource_arn": _IDENTITY, "type": "BIMI", "impact": "LOW", "status": "FIXED"})
    await sandbox.put("/sandbox/recommendations", {"recommendations": found})
    listed = (await ses.list_recommendations(Filter={"STATUS": "OPEN"}))["Recommendations"]
    assert [(each["Type"], each["Impact"], each["Description"]) for each in listed] == [("DKIM", "HIGH", "DKIM1")]
