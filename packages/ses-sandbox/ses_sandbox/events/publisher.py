"""Turns each accepted mail into the outbox entries of its events, in the mail's own transaction."""

import sqlite3
from collections.abc import Callable, Container

import orjson

from ses_sandbox.events.payloads import events_of
from ses_sandbox.mailbox import AcceptedMail
from ses_sandbox.ses.configuration_sets import ConfigurationSets
from ses_sandbox.sns.outbox import Outbox
from ses_sandbox.sns.topics import Topics


class EventPublisher:
    """What SES does after it has accepted a mail."""

    def __init__(
        self,
        configuration_sets: ConfigurationSets,
        suppressed: Callable[[str | None], Container[str]],
        topics: Topics,
        outbox: Outbox,
        region: str,
    ) -> None:
        """`suppressed`: the addresses, in lower case, on the suppression list that a tenant's mail goes by."""
        self._configuration_sets = configuration_sets
        self._suppressed = suppressed
        self._topics = topics
        self._outbox = outbox
        self._region = region

    def write(self, connection: sqlite3.Connection, mail: AcceptedMail) -> None:
        """Add the mail's events to the outbox; nothing if nobody is subscribed."""
        subscriptions = self._topics.receiving()
        if not subscriptions or not self._outbox.settings.enabled:
            return
        publishes = self._configuration_sets.publishes
        configuration_set = mail.request.configuration_set
        for event_type, record in events_of(mail, self._region, self._suppressed(mail.request.tenant)):
            if event_type in self._outbox.settings.types:
                addressees = [
                    each for each in subscriptions if publishes(configuration_set, event_type, each.topic_arn)
                ]
                self._outbox.put(connection, addressees, orjson.dumps(record).decode())

    def committed(self) -> None:
        """What was written is on the disk now."""
        self._outbox.change.announce()
