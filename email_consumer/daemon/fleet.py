"""What workers and sidecar have in common where they are processes of their own: the ledger on JetStream."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from email_consumer.daemon.background import Background
from email_consumer.daemon.nats import NatsLink, NatsSource, hold
from email_consumer.ledger.jetstream.inheritance import renew_inheritance

_LEDGER = "jetstream"
"""The identity of the one ledger that all of them have."""


async def _there() -> None:
    """The bucket of claims is."""


async def join_ledger(
    link: NatsLink,
    background: list[Background],
    stack: AsyncExitStack,
    claims_there: Callable[[], Awaitable[None]] = _there,
) -> NatsSource:
    """Wait until no ledger of one process has the consumer; its streams must be there.

    `claims_there` waits for the bucket of claims: what another ledger has left behind is noted in it.

    Raises:
        TenancyRefusedError: one is alive there.
        nats.errors.Error: JetStream did not answer.
    """
    settings = link.settings

    async def note_inheritance() -> None:
        await claims_there()
        delivered = await link.topology.delivered()
        await renew_inheritance(link.client, settings.stream, settings.consumer, delivered)

    tenancy = link.consumer_tenancy(_LEDGER, shared=True)
    await hold(tenancy, settings, background, stack, note_inheritance)
    return link.source(tenancy)
