"""The settings of the reputation breaker, of canaries, ramps and tenants; part of `Settings`."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field

from email_consumer.core.ramps import DEFAULT_CURVE, Ramps
from email_consumer.core.tenant_limits import TenantLimits
from email_consumer.message.fields import MAX_RECIPIENTS
from email_consumer.settings import checks

_BY_TENANT = BeforeValidator(checks.by_tenant)
Share = Annotated[float, BeforeValidator(checks.share)]


class ReputationSettings(BaseModel):
    bounce_warn: Share = Field(0.04, validation_alias=AliasChoices("BOUNCE_WARN"), ge=0, le=1)
    bounce_stop: Share = Field(0.08, validation_alias=AliasChoices("BOUNCE_STOP"), ge=0, le=1)
    complaint_warn: Share = Field(0.0008, validation_alias=AliasChoices("COMPLAINT_WARN"), ge=0, le=1)
    complaint_stop: Share = Field(0.003, validation_alias=AliasChoices("COMPLAINT_STOP"), ge=0, le=1)
    reputation_mails: int = Field(200, validation_alias=AliasChoices("REPUTATION_MAILS"), ge=1, le=1_000_000)
    topic_canary: int = Field(0, validation_alias=AliasChoices("TOPIC_CANARY"), ge=0, le=1_000_000)
    ramp: Annotated[tuple[tuple[str, date], ...], BeforeValidator(checks.ramp)] = Field(
        (), validation_alias=AliasChoices("RAMP")
    )
    ramp_curve: Annotated[tuple[Annotated[int, Field(ge=50, le=1_000_000_000)], ...], BeforeValidator(checks.split)] = (
        Field((), validation_alias=AliasChoices("RAMP_CURVE"), max_length=366)
    )
    reputation_poll: float = Field(60.0, validation_alias=AliasChoices("REPUTATION_POLL"), ge=0, le=86_400)
    canary_wait: float = Field(600.0, validation_alias=AliasChoices("CANARY_WAIT"), gt=0, le=86_400)

    tenant_rate: Annotated[tuple[tuple[str, Annotated[float, Field(ge=0.001, le=100_000)]], ...], _BY_TENANT] = Field(
        (), validation_alias=AliasChoices("TENANT_RATE")
    )
    tenant_daily: Annotated[tuple[tuple[str, Annotated[int, Field(ge=MAX_RECIPIENTS)]], ...], _BY_TENANT] = Field(
        (), validation_alias=AliasChoices("TENANT_DAILY")
    )

    suppression_scope: Literal["account", "tenant"] = Field(
        "account", validation_alias=AliasChoices("SUPPRESSION_SCOPE")
    )

    @property
    def tenant_limits(self) -> TenantLimits:
        return TenantLimits(dict(self.tenant_rate), dict(self.tenant_daily))

    @property
    def ramps(self) -> Ramps:
        return Ramps(dict(self.ramp), self.ramp_curve or DEFAULT_CURVE)
