"""Policies to attach to users and roles."""

from typing import Any

import orjson

from email_consumer.aws_setup.kinds.kind import Aws, Found, Kind, Lack, Properties, Tags, found, tag_list, tag_map
from email_consumer.aws_setup.policy_document import merged, missing

_MOST_VERSIONS = 5
"""IAM keeps no more."""


class ManagedPolicy(Kind):
    """What the daemon, or `doctor`, may do."""

    label = "IAM policy"
    reads = ("iam:GetPolicy", "iam:GetPolicyVersion")
    makes = (
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicyVersion",
        "iam:ListPolicyVersions",
        "iam:TagPolicy",
    )
    removes = ("iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:ListEntitiesForPolicy", "iam:ListPolicyVersions")

    def name(self, wanted: Properties) -> str:
        return str(wanted["ManagedPolicyName"])

    async def read(self, aws: Aws, wanted: Properties) -> Found | None:
        answer = await found(aws, "iam", "get_policy", PolicyArn=wanted["Arn"])
        if answer is None:
            return None
        present = await self._document(aws, wanted, answer["Policy"]["DefaultVersionId"])
        sids = ", ".join(each["Sid"] for each in missing(present, wanted["PolicyDocument"]))
        return Found(tag_map(answer["Policy"].get("Tags")), lacks=(Lack(f"the statements {sids}"),) if sids else ())

    async def _document(self, aws: Aws, wanted: Properties, version: str) -> dict[str, Any]:
        answer = await aws.call("iam", "get_policy_version", PolicyArn=wanted["Arn"], VersionId=version)
        document: dict[str, Any] = answer["PolicyVersion"]["Document"]
        return document

    async def make(self, aws: Aws, wanted: Properties, tags: Tags) -> None:
        document = orjson.dumps(wanted["PolicyDocument"]).decode()
        await aws.call(
            "iam", "create_policy", PolicyName=self.name(wanted), PolicyDocument=document, Tags=tag_list(tags)
        )

    async def change(self, aws: Aws, wanted: Properties) -> None:
        """Make another version of it the default one; the oldest goes if there are too many."""
        versions = await self._versions(aws, wanted)
        default = next(each["VersionId"] for each in versions if each["IsDefaultVersion"])
        document = merged(await self._document(aws, wanted, default), wanted["PolicyDocument"])
        old = sorted((each for each in versions if not each["IsDefaultVersion"]), key=lambda each: each["CreateDate"])
        if len(versions) >= _MOST_VERSIONS:
            await self._remove_version(aws, wanted, old[0]["VersionId"])
        await aws.call(
            "iam",
            "create_policy_version",
            PolicyArn=wanted["Arn"],
            PolicyDocument=orjson.dumps(document).decode(),
            SetAsDefault=True,
        )

    async def others(self, aws: Aws, wanted: Properties, ours: frozenset[str]) -> list[str]:  # noqa: ARG002 - of Kind
        answer = await found(aws, "iam", "list_entities_for_policy", PolicyArn=wanted["Arn"]) or {}
        attached = {"PolicyRoles": "RoleName", "PolicyUsers": "UserName", "PolicyGroups": "GroupName"}
        return [f"its attachment to {each[key]}" for kind, key in attached.items() for each in answer.get(kind, ())]

    async def remove(self, aws: Aws, wanted: Properties) -> None:
        for version in await self._versions(aws, wanted):
            if not version["IsDefaultVersion"]:
                await self._remove_version(aws, wanted, version["VersionId"])
        await found(aws, "iam", "delete_policy", PolicyArn=wanted["Arn"])

    async def _versions(self, aws: Aws, wanted: Properties) -> list[dict[str, Any]]:
        answer = await found(aws, "iam", "list_policy_versions", PolicyArn=wanted["Arn"])
        return [] if answer is None else answer["Versions"]

    async def _remove_version(self, aws: Aws, wanted: Properties, version: str) -> None:
        await found(aws, "iam", "delete_policy_version", PolicyArn=wanted["Arn"], VersionId=version)
