"""What workers and sidecar have in common where they are processes of their own: the ledger on JetStream."""

from email_consumer.ledgers.jetstream.takeover import renew_takeover
from email_consumer.roles.nats import NatsLink, NatsSource, hold
from email_consumer.runtime.supervisor import Supervisor

_LEDGER = "jetstream"
"""The identity of the one ledger that all of them have."""


async def join_ledger(link: NatsLink, services: Supervisor) -> NatsSource:
    """Wait until no ledger of one process has the consumer; its streams must be there.

    Raises:
        TenancyRefusedError: one is alive there.
        nats.errors.Error: JetStream did not answer.
    """
    settings = link.settings

    async def note_takeover() -> None:
        delivered = await link.topology.delivered()
        await renew_takeover(link.client, settings.stream, settings.consumer, delivered)

    lease = link.consumer_lease(_LEDGER, shared=True)
    await hold(lease, settings, services, note_takeover)
    return link.source(lease)
