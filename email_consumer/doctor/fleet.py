"""What many workers rely on: enough replicas of everything in JetStream, live workers, a live sidecar."""

from contextlib import aclosing
from datetime import datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import StorageType, StreamInfo
from nats.js.errors import NotFoundError

from email_consumer.cluster.shared_state import RECEIVER
from email_consumer.doctor.finding import Finding, error, ok, warning
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.key_value import shared_state_bucket, subject, workers_bucket
from email_consumer.jetstream.watch import WatchBrokenError, follow
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.replica.stream import stream_name
from email_consumer.sources.jetstream.consumer_lease import lease_bucket
from email_consumer.sources.jetstream.dead_letter import dead_letter_stream

_SILENT = 10.0
"""Seconds; the sidecar gives a sign of life every two."""
_HEARTBEAT = 1.0


async def check_replicas(client: Client, *, stream: str, replicas: int) -> list[Finding]:
    """Every stream and bucket of ours that is there; `replicas` is what the settings want."""
    findings: list[Finding] = []
    for name in _ours(stream):
        try:
            findings += _copies(await client.jetstream().stream_info(name), name, replicas)
        except NotFoundError:
            continue
        except (NatsError, TimeoutError):
            text = f"{name!r} does not respond: it has no leader, since too few NATS servers are up, or they elect one now."
            findings.append(
                error("nats.replicas", text, "Start the NATS servers that are down, then run doctor again.")
            )
    return findings or [
        ok("nats.replicas", f"All streams and buckets have the replicas that NATS_REPLICAS={replicas} asks for.")
    ]


async def check_workers(client: Client, *, stream: str) -> Finding:
    """How many share the rate."""
    try:
        async with aclosing(follow(client, workers_bucket(stream), _HEARTBEAT)) as entries:
            workers = 0
            async for entry in entries:
                if entry is None:
                    break
                workers += entry.value is not None
    except NotFoundError:
        workers = 0
    except (NatsError, TimeoutError, WatchBrokenError) as failure:
        return error(
            "nats.workers", f"The list of workers can't be read ({failure!r}).", "Check the NATS servers first."
        )
    if not workers:
        return warning("nats.workers", "No worker is running: mail waits.", "Start one: `email-consumer worker`.")
    return ok("nats.workers", f"Live workers that share the rate: {workers}.")


async def check_sidecar(client: Client, *, stream: str) -> Finding:
    """Whether the sidecar recently reported to the workers that it receives SES events."""
    bucket = shared_state_bucket(stream)
    try:
        last = await client.jetstream().get_last_msg(f"KV_{bucket}", subject(bucket, RECEIVER))
        now = datetime.fromisoformat((await ask(client, f"STREAM.INFO.KV_{bucket}"))["ts"])
    except NotFoundError:
        text = "No sidecar has run yet; workers wait for it."
        return warning("nats.sidecar", text, "Start it: `email-consumer sidecar`.")
    except (NatsError, TimeoutError) as failure:
        return error("nats.sidecar", f"The shared state can't be read ({failure!r}).", "Check the NATS servers first.")
    silent = (now - last.time).total_seconds() if last.time else 0.0
    if silent > _SILENT:
        text = f"The sidecar has been silent for {silent:.0f} s: mail is sent, but mail in doubt waits and no events are received."
        return warning("nats.sidecar", text, "Start it: `email-consumer sidecar`.")
    return ok("nats.sidecar", "The sidecar is alive.")


def _ours(stream: str) -> list[str]:
    names = Names(stream)
    buckets = [workers_bucket(stream), shared_state_bucket(stream), lease_bucket(stream)]
    streams = [
        stream,
        dead_letter_stream(stream),
        names.outcomes,
        names.scheduled,
        stream_name(stream),
        names.bucket_stream,
    ]
    return [*streams, *(f"KV_{bucket}" for bucket in buckets)]


def _copies(found: StreamInfo, name: str, replicas: int) -> list[Finding]:
    findings = []
    copies = found.config.num_replicas or 1
    if copies < replicas:
        findings.append(
            warning(
                "nats.replicas",
                f"{name!r} has {copies} of the {replicas} copies that NATS_REPLICAS requires: losing one server may lose it.",
                f"`nats stream edit {name} --replicas {replicas}`.",
            )
        )
    if found.config.storage == StorageType.MEMORY:
        text = f"{name!r} is stored in memory only: its contents are lost when the NATS servers restart."
        findings.append(
            warning("nats.replicas", text, "Recreate it with file storage; the storage type can't be edited.")
        )
    peers = (found.cluster.replicas if found.cluster else None) or []
    lagging = [str(peer.name) for peer in peers if peer.offline or not peer.current]
    if lagging:
        text = f"Copies of {name!r} are missing or out of sync on: {', '.join(sorted(lagging))}."
        findings.append(warning("nats.replicas", text, "Start those NATS servers, or look at their disks and logs."))
    return findings
