"""Tenants: which resources they may use, whether they may send, and which suppression list their mail goes by."""

import hashlib
import sqlite3
from collections.abc import Callable
from time import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.config import ACCOUNT_ID
from ses_sandbox.database import Database
from ses_sandbox.ses.address import bare_address

SendingStatus = Literal["ENABLED", "REINSTATED", "DISABLED"]
Impact = Literal["LOW", "HIGH"]
Reason = Literal["BOUNCE", "COMPLAINT"]
Scope = Literal["ACCOUNT", "TENANT"]
TenantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Tenant(BaseModel):
    """What SES knows of a tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resources: tuple[str, ...] = ()
    """ARNs of the identities and configuration sets that are associated with it."""
    tags: dict[str, str] = {}
    sending_status: SendingStatus = "ENABLED"
    """Set by the customer."""
    ses_status: SendingStatus = "ENABLED"
    """Set by SES."""
    policy: str = "standard"
    """none, standard or strict."""
    impact: Impact | None = None
    """The highest impact of a reputation finding."""
    suppression_scope: Scope | None = None
    suppressed_reasons: tuple[Reason, ...] | None = None
    created_at: float = Field(default_factory=time)
    """Unix seconds."""

    @property
    def may_send(self) -> bool:
        return "DISABLED" not in (self.sending_status, self.ses_status)

    @property
    def aggregate_status(self) -> SendingStatus:
        return self.sending_status if self.may_send else "DISABLED"


class Tenants:
    """Until the first is created, every tenant exists and may use everything; from then on, as at AWS.

    Durable in SQLite, mirrored in memory because mail is checked against them.
    """

    def __init__(self, database: Database, region: str) -> None:
        """Read what earlier runs left; `region` is named in ARNs."""
        self._database = database
        self._region = region
        rows = database.read_now("SELECT name, document FROM tenants ORDER BY name")
        found = {name: Tenant.model_validate_json(document) for name, document in rows}
        self.known: dict[str, Tenant] | None = found or None
        self.when_removed: Callable[[str], object] = lambda _name: None

    def get(self, name: str) -> Tenant:
        """The tenant of that name.

        Raises:
            AwsError: NotFoundException, if it does not exist.
        """
        if self.known is None:
            return Tenant(created_at=0.0)
        try:
            return self.known[name]
        except KeyError:
            raise AwsError("NotFoundException", f"Tenant {name} for AwsAccountId {ACCOUNT_ID} not found.") from None

    async def put(self, name: str, tenant: Tenant) -> None:
        """Create or change a tenant."""
        row = (name, tenant.model_dump_json())
        await self._database.write(lambda connection: connection.execute("REPLACE INTO tenants VALUES (?, ?)", row))
        self.known = {**(self.known or {}), name: tenant}

    async def remove(self, name: str) -> None:
        """Remove a tenant and its suppression list."""

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tenants WHERE name = ?", (name,))
            connection.execute("DELETE FROM tenant_suppressed WHERE tenant = ?", (name,))

        await self._database.write(delete)
        self.when_removed(name)
        self.known = {other: tenant for other, tenant in (self.known or {}).items() if other != name}

    async def script(self, tenants: dict[str, Tenant] | None) -> None:
        """Replace all; None makes every one exist again."""

        def replace(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tenants")
            rows = [(name, tenant.model_dump_json()) for name, tenant in (tenants or {}).items()]
            connection.executemany("INSERT INTO tenants VALUES (?, ?)", rows)

        await self._database.write(replace)
        self.known = tenants

    def check(self, name: str | None, sender: str, configuration_set: str | None) -> None:
        """Whether the tenant, if any, may send mail of this sender with this configuration set.

        Raises:
            AwsError: NotFoundException, SendingPausedException or AccessDeniedException. The text of the second is made up:
                what AWS says there is not documented.
        """
        if name is None or self.known is None:
            return
        tenant = self.get(name)
        if not tenant.may_send:
            raise AwsError("SendingPausedException", f"Sending is paused for tenant {name}.")
        address = bare_address(sender).lower()
        labels = address.rpartition("@")[2].split(".")
        domains = [".".join(labels[start:]) for start in range(len(labels) - 1)] or labels
        identities = [self.arn("identity", each) for each in (address, *domains)]
        missing = [] if set(identities) & set(tenant.resources) else [self.arn("identity", domains[0])]
        if configuration_set and (used := self.arn("configuration-set", configuration_set)) not in tenant.resources:
            missing.append(used)
        if missing:
            raise AwsError("AccessDeniedException", f"Tenant not associated with resources [{', '.join(missing)}].")

    def own_list(self, name: str | None) -> str | None:
        """Whose suppression list mail of the tenant goes by: the tenant's name, or None for the account's."""
        return name if name and self.get(name).suppression_scope == "TENANT" else None

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:ses:{self._region}:{ACCOUNT_ID}:{kind}/{name}"

    def arn_of(self, name: str) -> str:
        """The ARN of a tenant."""
        return self.arn("tenant", f"{name}/{tenant_id(name)}")


def tenant_id(name: str) -> str:
    """In the shape AWS gives it; the same whenever it is asked for."""
    return "tn-" + hashlib.sha256(name.encode()).hexdigest()[:30]
