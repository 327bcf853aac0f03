"""The bucket of claims for tests without a sidecar."""

from nats.aio.client import Client

from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream


async def first_claims(client: Client, stream: str, *, replicas: int = 1) -> None:
    """The bucket as a sidecar makes it where nothing was sent yet; one that is there stays."""
    claims = ClaimsStream(client, stream)
    if not (await claims.state()).exists:
        await claims.create(replicas=replicas)
        await claims.begin()
        await claims.mark(refilled=False)
        await claims.open()
