"""The mail stream and its consumers, as the settings name them."""

from nats.aio.client import Client

from email_consumer.settings import Settings
from email_consumer.sources.jetstream.topology import Topology


def mail_topology(client: Client, settings: Settings) -> Topology:
    """Describe them; nothing is created yet. `client` is connected."""
    return Topology(
        client,
        stream=settings.stream,
        subject=settings.subject,
        consumer=settings.consumer,
        ack_wait=settings.ack_wait,
        concurrency=settings.concurrency_limit,
        replicas=settings.nats_replicas,
        transactional_subject=settings.transactional_subject,
    )
