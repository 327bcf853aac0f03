"""Which mail has to be let go on by the store: what a ramp, or its tenant's limits, concern, unless it comes from there."""

from collections.abc import Mapping

from email_consumer.core.ledger import Origin
from email_consumer.core.ramps import RAMPED
from email_consumer.core.tenant_limits import LIMITED, TenantLimits
from email_consumer.holds.keys import limit_key
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage
from email_consumer.pipeline.ramp_gate import RampGate


class Allowances:
    """False where nothing is limited."""

    def __init__(self, ramps: RampGate, limits: TenantLimits) -> None:
        self._ramps = ramps
        self._limits = limits

    def __bool__(self) -> bool:
        return bool(self._ramps) or bool(self._limits)

    def missing(self, message: EmailMessage, origin: Origin, headers: Mapping[str, str]) -> str | None:
        """The key under which the mail has to wait; None if it may go on.

        Its ramp comes first: what waits for that is not counted for its tenant yet.
        """
        granted = headers if origin.kept else {}
        if self._ramps and RAMPED not in granted and (key := self._ramps.covering(message)):
            return key
        if message.tenant and LIMITED not in granted and self._limits.covers(message.tenant):
            return limit_key(message.tenant, Lane.BULK if message.is_bulk else Lane.TRANSACTIONAL)
        return None
