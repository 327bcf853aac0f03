"""What workers and sidecar have in common where they are processes of their own: the ledger on JetStream."""

from contextlib import AsyncExitStack

from email_consumer.ledgers.jetstream.takeover import renew_inheritance
from email_consumer.roles.background import Background
from email_consumer.roles.nats import NatsLink, NatsSource, hold

_LEDGER = "jetstream"
"""The identity of the one ledger that all of them have."""


async def join_ledger(link: NatsLink, background: list[Background], stack: AsyncExitStack) -> NatsSource:
    """Wait until no ledger of one process has the consumer; its streams must be there.

    Raises:
        TenancyRefusedError: one is alive there.
        nats.errors.Error: JetStream did not answer.
    """
    settings = link.settings

    async def note_inheritance() -> None:
        delivered = await link.topology.delivered()
        await renew_inheritance(link.client, settings.stream, settings.consumer, delivered)

    tenancy = link.consumer_tenancy(_LEDGER, shared=True)
    await hold(tenancy, settings, background, stack, note_inheritance)
    return link.source(tenancy)
