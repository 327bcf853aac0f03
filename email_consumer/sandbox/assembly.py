"""Builds the sandbox's parts and hands them to each other."""

from collections.abc import Coroutine

import aiohttp
from aiohttp import web

from email_consumer.sandbox.account import Account
from email_consumer.sandbox.aws.errors import AwsError
from email_consumer.sandbox.aws.json_protocol import rest_json
from email_consumer.sandbox.aws.signature import Credentials, SignatureCheck
from email_consumer.sandbox.config import SandboxConfig
from email_consumer.sandbox.control.account_routes import AccountRoutes
from email_consumer.sandbox.control.event_routes import EventRoutes
from email_consumer.sandbox.control.fault_routes import FaultRoutes
from email_consumer.sandbox.control.message_routes import MessageRoutes
from email_consumer.sandbox.control.page import Page
from email_consumer.sandbox.control.resource_routes import ResourceRoutes
from email_consumer.sandbox.control.wire import reply
from email_consumer.sandbox.database import Database
from email_consumer.sandbox.events.publisher import EventPublisher
from email_consumer.sandbox.events.settings import EventSettings
from email_consumer.sandbox.faults import Faults
from email_consumer.sandbox.front_door import FrontDoor
from email_consumer.sandbox.mailbox import Mailbox
from email_consumer.sandbox.query_endpoint import QueryEndpoint
from email_consumer.sandbox.quota import DailyQuota, SendRate
from email_consumer.sandbox.ses.configuration_sets import ConfigurationSetOperations, ConfigurationSets
from email_consumer.sandbox.ses.identities import Identities, IdentityOperations
from email_consumer.sandbox.ses.send_email import Sending
from email_consumer.sandbox.ses.suppression import SuppressionList, SuppressionOperations
from email_consumer.sandbox.sns.certificate import load_or_create
from email_consumer.sandbox.sns.courier import Courier
from email_consumer.sandbox.sns.envelope import Signer
from email_consumer.sandbox.sns.operations import SnsOperations
from email_consumer.sandbox.sns.outbox import Outbox
from email_consumer.sandbox.sns.standing import EVENTS_TOPIC, ask_to_confirm, stand
from email_consumer.sandbox.sns.topics import Topics, topic_arn
from email_consumer.sandbox.visitors import known_visitors

_MAX_BODY = 64 * 2**20
"""Bytes: SES takes 40 MiB of message, base64 and JSON come on top."""
_EVENTS_PER_MAIL = 4
"""The outbox keeps so many entries for each mail the mailbox keeps."""


class Sandbox:
    """The whole of it, ready to be served."""

    def __init__(self, config: SandboxConfig, database: Database) -> None:
        """Read what earlier runs left in the database and the data directory."""
        self._events_to = config.events_to
        self._region = config.home_region
        credentials = Credentials(config.access_key, config.secret_key)
        faults = Faults()
        front_door = FrontDoor(SignatureCheck(credentials, config.region), faults)
        usage = database.read_now("SELECT minute, recipients FROM usage ORDER BY minute")
        account = Account(SendRate(config.max_send_rate), DailyQuota(config.max_24_hour_send, usage))
        identities = Identities(config.home_region)
        configuration_sets = ConfigurationSets(topic_arn(config.home_region, EVENTS_TOPIC))
        suppression = SuppressionList(database)
        settings = EventSettings(retry_delay=config.event_retry_delay, max_retries=config.event_max_retries)
        outbox = Outbox(database, settings, config.keep * _EVENTS_PER_MAIL)
        self._topics = topics = Topics(database)
        self._courier = courier = Courier(outbox, topics, Signer(*load_or_create(config.data)), settings)
        outbox.change.listen(courier.wake)
        topics.change.listen(courier.wake)
        publisher = EventPublisher(configuration_sets, suppression.entries, topics, outbox, config.home_region)
        mailbox = Mailbox(database, config.keep, publisher)
        visitors = known_visitors(config.host, config.names)
        self.application = web.Application(client_max_size=_MAX_BODY, middlewares=[visitors])
        for part in (
            Sending(front_door, account, identities, configuration_sets, mailbox),
            ConfigurationSetOperations(front_door, configuration_sets),
            IdentityOperations(front_door, identities),
            SuppressionOperations(front_door, suppression),
            QueryEndpoint(front_door, SnsOperations(topics, outbox, settings)),
            AccountRoutes(account, credentials),
            FaultRoutes(faults),
            ResourceRoutes(identities, configuration_sets),
            EventRoutes(settings, topics, outbox, courier),
            MessageRoutes(mailbox),
            Page(mailbox),
        ):
            self.application.add_routes(part.routes())
        self.application.router.add_get("/health", _health)
        self.application.router.add_route("*", "/v2/email/{operation:.*}", rest_json(_unknown_operation))

    async def prepare(self) -> None:
        """What must be there before the first request."""
        await stand(self._topics, self._region, self._events_to)

    def jobs(self, session: aiohttp.ClientSession) -> list[Coroutine[None, None, None]]:
        """What runs beside the requests."""
        return [
            self._courier.run(session),
            ask_to_confirm(self._topics, self._courier, session),
        ]


async def _unknown_operation(_request: web.Request) -> web.Response:
    raise AwsError("UnknownOperationException")


async def _health(_request: web.Request) -> web.Response:
    return reply({"status": "ok"})
