"""Holds in the process that has the store: loaded before mail is pulled, ended in time, their mail released."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from email_consumer.core.ramps import Ramps
from email_consumer.core.tenant_limits import TenantLimits
from email_consumer.holds.active_holds import ActiveHolds
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold_list import HoldList
from email_consumer.holds.limit_release import LimitRelease
from email_consumer.holds.ramp_release import RampRelease
from email_consumer.holds.ramp_routes import RampRoutes
from email_consumer.holds.routes import HoldRoutes
from email_consumer.roles.parts import Parts
from email_consumer.roles.workers import Workers
from email_consumer.runtime.supervisor import OnCrash, Service
from email_consumer.store.database import Database


@dataclass(frozen=True, slots=True)
class HoldsOptions:
    ramps: Ramps
    tenant_limits: TenantLimits


@dataclass(frozen=True, slots=True)
class Holds:
    list: HoldList
    mail: HeldMail
    limits: LimitRelease
    routes: Sequence[web.RouteDef]


async def open_holds(
    parts: Parts,
    options: HoldsOptions,
    database: Database,
    workers: Workers,
    active: ActiveHolds,
    *,
    released: Callable[[], None],
) -> Holds:
    """Start with the holds of the store; workers know them on return, or before they pull.

    `active` is kept in step with them; `released` is called when mail became due.
    """

    def publish(keys: Mapping[str, bool]) -> None:
        parts.metrics.holds = len(keys)
        active.replace(keys)
        workers.hold(keys)

    holds = HoldList(database, publish)
    ramp = RampRelease(database, options.ramps)
    limits = LimitRelease(database, options.tenant_limits, active)
    mail = HeldMail(database, holds, released, ramp, limits, metrics=parts.metrics)
    await holds.load()
    parts.services.start(
        Service("holds", holds.run, on_crash=OnCrash.EXIT),
        Service("held mail", mail.run, on_crash=OnCrash.EXIT),
    )
    return Holds(holds, mail, limits, [*HoldRoutes(holds, mail).routes(), *RampRoutes(ramp, mail).routes()])
