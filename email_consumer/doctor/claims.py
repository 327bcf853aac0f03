"""What the ledger of roles apart keeps in JetStream: whether it is there, and whether the bucket of claims is whole."""

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from email_consumer.doctor.finding import Finding, error, ok, warning
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.streams import Names

_START = "Start the sidecar: `email-consumer sidecar`."


async def check_claims(client: Client, *, stream: str) -> Finding:
    """The bucket that says what was sent."""
    claims = ClaimsStream(client, stream)
    name = claims.names.bucket
    try:
        found = await claims.state()
    except (NatsError, TimeoutError) as failure:
        return error(
            "nats.claims", f"The bucket {name!r} does not respond ({failure!r}).", "Check the NATS servers first."
        )
    if not found.exists:
        text = f"The bucket {name!r} is not there, and nothing is sent without it; the sidecar makes it, or refills it."
        return error("nats.claims", text, _START)
    if not found.is_open:
        text = f"The bucket {name!r} takes no claims, so nothing is sent: it was lost, and is not refilled yet."
        return error("nats.claims", text, "A running sidecar does it within seconds; look into its log for `claims.`.")
    if not found.whole:
        text = f"The bucket {name!r} was emptied, made by hand, or is of the version before: the sidecar has not seen it yet."
        return warning("nats.claims", text, _START)
    return ok("nats.claims", f"The bucket {name!r} is whole.")


async def check_ledger_streams(client: Client, *, stream: str) -> Finding:
    """The streams by which workers tell the sidecar."""
    names, missing = Names(stream), []
    for name in (names.outcomes, names.scheduled):
        try:
            await client.jetstream().stream_info(name)
        except NotFoundError:
            missing.append(name)
        except (NatsError, TimeoutError) as failure:
            return error("nats.ledger", f"{name!r} does not respond ({failure!r}).", "Check the NATS servers first.")
    if missing:
        text = f"{', '.join(missing)}: not there, so workers can't tell what became of mail."
        return error("nats.ledger", text, "Start the sidecar or a worker: each makes them, and says what was lost.")
    return ok("nats.ledger", "The streams of outcomes and of scheduled mail are there.")
