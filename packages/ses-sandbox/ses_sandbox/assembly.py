"""Builds the sandbox's parts and hands them to each other."""

from collections.abc import Coroutine

import aiohttp
from aiohttp import web

from ses_sandbox.account import Account
from ses_sandbox.aws.errors import AwsError
from ses_sandbox.aws.json_protocol import rest_json
from ses_sandbox.aws.signature import Credentials, SignatureCheck
from ses_sandbox.browser_guard import browser_guard
from ses_sandbox.config import SandboxConfig
from ses_sandbox.control.account_routes import AccountRoutes
from ses_sandbox.control.event_routes import EventRoutes
from ses_sandbox.control.fault_routes import FaultRoutes
from ses_sandbox.control.message_routes import MessageRoutes
from ses_sandbox.control.page import Page
from ses_sandbox.control.resource_routes import ResourceRoutes
from ses_sandbox.control.switches_page import SwitchesPage
from ses_sandbox.control.wire import reply
from ses_sandbox.database import Database
from ses_sandbox.events.publisher import EventPublisher
from ses_sandbox.events.settings import EventSettings
from ses_sandbox.faults import Faults
from ses_sandbox.mailbox import Mailbox
from ses_sandbox.query_endpoint import QueryEndpoint
from ses_sandbox.quota import DailyQuota, SendRate
from ses_sandbox.request_guard import RequestGuard
from ses_sandbox.ses.configuration_set_operations import ConfigurationSetOperations
from ses_sandbox.ses.configuration_sets import ConfigurationSets
from ses_sandbox.ses.identities import Identities, IdentityOperations
from ses_sandbox.ses.reputation import Recommendations, ReputationOperations
from ses_sandbox.ses.send_email import Sending
from ses_sandbox.ses.suppression import SuppressionLists, SuppressionOperations
from ses_sandbox.ses.tenant_operations import TenantOperations
from ses_sandbox.ses.tenants import Tenants
from ses_sandbox.sns.certificate import load_or_create
from ses_sandbox.sns.delivery_worker import DeliveryWorker
from ses_sandbox.sns.envelope import Signer
from ses_sandbox.sns.operations import SnsOperations
from ses_sandbox.sns.outbox import Outbox
from ses_sandbox.sns.startup_subscription import EVENTS_TOPIC, ask_to_confirm, subscribe_at_startup
from ses_sandbox.sns.topics import Topics, topic_arn

_MAX_BODY = 64 * 2**20
"""Bytes: SES takes 40 MiB of message, base64 and JSON come on top."""
_EVENTS_PER_MAIL = 4
"""Outbox entries kept for each mail that the mailbox keeps."""


class Sandbox:
    """The application with all its parts."""

    def __init__(self, config: SandboxConfig, database: Database) -> None:
        """Read what earlier runs left in the database and the data directory."""
        self._events_to = config.events_to
        self._region = config.home_region
        credentials = Credentials(config.access_key, config.secret_key)
        faults = Faults()
        request_guard = RequestGuard(SignatureCheck(credentials, config.region), faults)
        usage = database.read_now("SELECT minute, recipients FROM usage ORDER BY minute")
        account = Account(SendRate(config.max_send_rate), DailyQuota(config.max_24_hour_send, usage))
        identities = Identities(config.home_region)
        configuration_sets = ConfigurationSets(topic_arn(config.home_region, EVENTS_TOPIC))
        tenants = Tenants(database, config.home_region)
        recommendations = Recommendations()
        suppression = SuppressionLists(database, tenants)
        settings = EventSettings(retry_delay=config.event_retry_delay, max_retries=config.event_max_retries)
        outbox = Outbox(database, settings, config.keep * _EVENTS_PER_MAIL)
        self._topics = topics = Topics(database)
        self._delivery_worker = delivery_worker = DeliveryWorker(
            outbox, topics, Signer(*load_or_create(config.data)), settings
        )
        outbox.change.listen(delivery_worker.wake)
        topics.change.listen(delivery_worker.wake)
        publisher = EventPublisher(configuration_sets, suppression.of_mail, topics, outbox, config.home_region)
        mailbox = Mailbox(database, config.keep, publisher)
        guard_browsers = browser_guard(config.host, config.names)
        self.application = web.Application(client_max_size=_MAX_BODY, middlewares=[guard_browsers])
        for part in (
            Sending(
                request_guard,
                account=account,
                identities=identities,
                configuration_sets=configuration_sets,
                tenants=tenants,
                mailbox=mailbox,
            ),
            ConfigurationSetOperations(request_guard, configuration_sets),
            IdentityOperations(request_guard, identities),
            SuppressionOperations(request_guard, suppression),
            TenantOperations(request_guard, tenants, identities, configuration_sets),
            ReputationOperations(request_guard, tenants, recommendations),
            QueryEndpoint(request_guard, SnsOperations(topics, outbox, settings)),
            AccountRoutes(account, credentials),
            FaultRoutes(faults),
            ResourceRoutes(identities, configuration_sets, tenants, recommendations),
            EventRoutes(settings, topics, outbox, delivery_worker),
            MessageRoutes(mailbox),
            Page(mailbox),
            SwitchesPage(faults, account, settings),
        ):
            self.application.add_routes(part.routes())
        self.application.router.add_get("/health", _health)
        self.application.router.add_route("*", "/v2/email/{operation:.*}", rest_json(_unknown_operation))

    async def prepare(self) -> None:
        """Set up what must exist before the first request."""
        await subscribe_at_startup(self._topics, self._region, self._events_to)

    def jobs(self, session: aiohttp.ClientSession) -> list[Coroutine[None, None, None]]:
        """Background jobs."""
        return [
            self._delivery_worker.run(session),
            ask_to_confirm(self._topics, self._delivery_worker, session),
        ]


async def _unknown_operation(_request: web.Request) -> web.Response:
    raise AwsError("UnknownOperationException")


async def _health(_request: web.Request) -> web.Response:
    return reply({"status": "ok"})
