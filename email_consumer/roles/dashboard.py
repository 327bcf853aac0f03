"""Builds the dashboard: its page, routes and data sources."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from email_consumer.core.mail_queue import Unconsumed
from email_consumer.dashboard.live_routes import LiveRoutes
from email_consumer.dashboard.page import PageRoutes
from email_consumer.dashboard.sampler import Sampler
from email_consumer.dashboard.session_routes import Installation, SessionRoutes
from email_consumer.dashboard.sessions import Sessions
from email_consumer.dashboard.snapshot import Held, Snapshot
from email_consumer.dashboard.snapshot_reader import SnapshotReader
from email_consumer.dashboard.topic_list import TopicList
from email_consumer.holds.hold import Hold
from email_consumer.holds.hold_list import HoldList
from email_consumer.roles.parts import Parts
from email_consumer.roles.workers import Workers
from email_consumer.runtime.supervisor import Service
from email_consumer.store.database import Database
from email_consumer.web.grant import Grant

_MOST_HOLDS = 5
"""In a snapshot."""


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    public: bool
    """The page needs no key."""
    key_set: bool
    """Whether API_KEY is set."""
    events_expected: bool
    """Whether SES publishes events to a topic of ours."""
    timezone: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    routes: list[web.RouteDef]
    admits: Callable[[web.Request], Grant | None]
    """What the session of a request of the page allows."""
    snapshot: Callable[[], Awaitable[Snapshot]]
    """Takes a snapshot of the current state."""


def build_dashboard(
    parts: Parts,
    options: DashboardOptions,
    database: Database,
    workers: Workers,
    refused: Mapping[str, int],
    *,
    holds: HoldList,
    unconsumed: Callable[[], Unconsumed],
    key_is_current: Callable[[str], bool],
) -> Dashboard:
    """`refused` counts refused SNS messages by cause; `unconsumed` returns mail without a consumer.

    `key_is_current`: whether the stored key with this id is still valid.
    """
    snapshot_reader = SnapshotReader(
        metrics=workers.metrics,
        sources=parts.sources,
        checks=parts.checks,
        unconsumed=unconsumed,
        database=database,
        account=lambda: workers.account,
        refused=refused,
        expects_events=options.events_expected,
        holds=lambda: _shown(holds.undecided(_MOST_HOLDS)),
    )
    sampler = Sampler(workers.metrics, snapshot_reader.take)
    parts.services.start(Service("live", sampler.run))
    sessions = Sessions(current=key_is_current)
    installation = Installation(local=parts.local, safe_mode=parts.safe_mode_kind, timezone=options.timezone)
    routes = [
        *PageRoutes().routes(),
        *SessionRoutes(sessions, installation, public=options.public, key_set=options.key_set).routes(),
        *LiveRoutes(sampler, public=options.public).routes(),
        *TopicList(database).routes(),
    ]
    return Dashboard(routes, sessions.admits, snapshot_reader.take)


def _shown(undecided: tuple[list[Hold], int]) -> tuple[list[Held], int]:
    holds, number = undecided
    return [Held(hold.key, hold.holder, hold.reason) for hold in holds], number
