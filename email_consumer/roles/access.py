"""Builds what decides on access: the stored keys and the audit log."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from aiohttp import web

from email_consumer.access.audit_log import AuditLog
from email_consumer.access.audit_routes import AuditRoutes
from email_consumer.access.key_routes import KeyRoutes
from email_consumer.access.keys import Keys
from email_consumer.roles.parts import Parts
from email_consumer.runtime.supervisor import Service
from email_consumer.store.database import Database


@dataclass(frozen=True, slots=True)
class Access:
    keys: Keys
    log: AuditLog
    routes: list[web.RouteDef]


async def build_access(parts: Parts, database: Database, *, log_kept: float, zone: ZoneInfo) -> Access:
    """Load the keys, and start what records their use and deletes old entries of the log.

    `log_kept`: seconds; `zone`: of the days that the log is asked for.
    """
    keys, log = Keys(database), AuditLog(database, log_kept)
    await keys.load()
    parts.services.at_end(keys.write_uses)
    parts.services.start(Service("keys", keys.run), Service("audit log", log.run))
    return Access(keys, log, [*KeyRoutes(keys).routes(), *AuditRoutes(log, zone).routes()])
