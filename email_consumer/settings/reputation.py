"""The settings of the reputation breaker, of canaries and of ramps; part of `Settings`."""

from datetime import date
from typing import Annotated

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field

from email_consumer.core.ramps import DEFAULT_CURVE, Ramps
from email_consumer.settings import checks

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
    canary_wait: float = Field(600.0, validation_alias=AliasChoices("CANARY_WAIT"), gt=0, le=86_400)

    @property
    def ramps(self) -> Ramps:
        return Ramps(dict(self.ramp), self.ramp_curve or DEFAULT_CURVE)
