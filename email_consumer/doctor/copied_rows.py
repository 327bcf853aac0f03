"""The copy of the sidecar's rows: whether a lost file could be made again from it."""

from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.doctor.finding import Finding, error, ok, skipped, warning
from email_consumer.replica.stream import CopyState, CopyStream


async def check_copied_rows(client: Client, *, stream: str, wanted: bool) -> list[Finding]:
    """As JetStream holds it; `wanted` is what COPY_ROWS says."""
    copy = CopyStream(client.jetstream(), stream)
    try:
        found = await copy.state()
    except (NatsError, TimeoutError) as failure:
        return [error("nats.rows", f"{copy.name!r} does not respond ({failure!r}).", "Check the NATS servers first.")]
    if not wanted:
        text = "The sidecar's file can't be made again from JetStream: COPY_ROWS is false."
        return [skipped("nats.rows", text, "Have the file's volume saved by other means.")]
    if found is None:
        text = "There is no copy of the sidecar's rows yet: if its file is lost now, it is lost for good."
        return [warning("nats.rows", text, "Start the sidecar: it copies them.")]
    return [*_limits(copy.name, found), _completeness(found)]


def _limits(name: str, found: CopyState) -> list[Finding]:
    if not found.limits:
        return []
    limits = ", ".join(found.limits)
    text = f"{name!r} has limits ({limits}): JetStream drops rows, or refuses them, and each time all are copied again."
    return [warning("nats.rows", text, f"`nats stream edit {name}`: take them off.")]


def _completeness(found: CopyState) -> Finding:
    rows = f"{found.rows:,} rows"
    if found.whole:
        return ok("nats.rows", f"The copy of the sidecar's rows is whole: {rows}.")
    if found.mark is None:
        text = f"The copy of the sidecar's rows ({rows}) lacks its beginning, or is of an earlier version."
        return warning("nats.rows", text, "A running sidecar copies all of them within a minute; look into its log.")
    expected = sum(found.mark.rows.values())
    text = f"The sidecar's rows are being copied: {rows} are there, {expected:,} were to be copied when that began."
    if found.mark.follows:
        return ok("nats.rows", f"{text} Until then those of the earlier version are.")
    return warning("nats.rows", text, "Run doctor again later; a running sidecar says `replica.whole` in its log.")
