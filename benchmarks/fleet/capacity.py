"""What the nats-servers and the sidecar can carry, by the CPU that each mail costs them."""

import asyncio
import sqlite3
import tempfile
from contextlib import AsyncExitStack, closing
from pathlib import Path
from time import perf_counter, time

import nats

from benchmarks.ledger import POLICY, in_one_group, messages
from benchmarks.usage import cpu_seconds, rss_mb
from email_consumer.core.ledger import Origin
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.mail_state import encode_state
from email_consumer.ledgers.jetstream.record import BucketEntry, ClaimRecord
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams
from email_consumer.store.status import Status
from tests.servers.claims import first_claims
from tests.servers.fleet import Fleet
from tests.servers.nats import NatsServer
from tests.servers.nats_cluster import NatsCluster
from tests.servers.ports import free_ports

_GROUP = 1000
_BATCH = 200
"""Entries in one message, as a busy worker sends them."""
_LOOK = 0.05
_NOT_COPIED = "SELECT count(*) FROM replica_changes"


async def claims(mails: int, *, nodes: int) -> None:
    """Claim and finish so many by one ledger, in groups; on three nodes with three replicas."""
    with tempfile.TemporaryDirectory() as name:
        async with AsyncExitStack() as stack:
            servers = await _servers(Path(name), nodes, stack)
            client = await nats.connect([server.url for server in servers])
            stack.push_async_callback(client.close)
            await ensure_ledger_streams(client, "messages", replicas=nodes)
            await first_claims(client, "messages", replicas=nodes)
            publisher = Publisher(client)
            ledger = JetStreamLedger(publisher, lambda *_: None, POLICY, stream="messages")
            await stack.enter_async_context(ledger.running())
            idle, before = rss_mb(servers[0].pid), [cpu_seconds(server.pid) for server in servers]
            batch, began = messages(mails, 0), perf_counter()
            for start in range(0, mails, _GROUP):
                await in_one_group(ledger, batch[start : start + _GROUP], start)
                await client.jetstream().purge_stream("messages-outcomes")  # as if the sidecar had taken them
            took = perf_counter() - began
            cpu = [
                (cpu_seconds(server.pid) - spent) / mails * 1e6 for server, spent in zip(servers, before, strict=True)
            ]
            state = (await client.jetstream().stream_info("KV_messages-claims")).state
            grown = (rss_mb(servers[0].pid) - idle) * 1e6 / mails
            print(
                f"| R{nodes} | {mails / took:,.0f} | {' + '.join(f'{each:.0f}' for each in sorted(cpu, reverse=True))} "
                f"| {1e6 / max(cpu):,.0f} | {state.bytes / state.messages:.0f} B | {grown:.0f} B |",
                flush=True,
            )


async def _servers(directory: Path, nodes: int, stack: AsyncExitStack) -> list[NatsServer]:
    if nodes == 1:
        return [await stack.enter_async_context(NatsServer(directory))]
    return list((await stack.enter_async_context(NatsCluster(directory))).nodes.values())


async def projection(rows: int) -> None:
    """So many outcomes, new mails all, on their way through a sidecar that was idle before."""
    with tempfile.TemporaryDirectory() as name:
        directory, [port] = Path(name), free_ports(1)
        async with NatsServer(directory / "nats") as server:
            variables = {"NATS_URL": server.url, "AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}
            client = await nats.connect(server.url)
            batches = _batches(rows)
            async with Fleet(directory, variables, port=port, workers=0) as fleet:
                pid = fleet.sidecar.pid
                before, began = cpu_seconds(pid), perf_counter()
                stored = [await client.jetstream().publish_async("messages-outcomes", batch) for batch in batches]
                await asyncio.gather(*stored)
                while (await client.jetstream().stream_info("messages-outcomes")).state.messages:  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK)
                shown, cpu = perf_counter() - began, cpu_seconds(pid) - before
                with closing(sqlite3.connect(f"file:{fleet.database}?mode=ro", uri=True)) as database:
                    while database.execute(_NOT_COPIED).fetchone()[0]:  # noqa: ASYNC110
                        await asyncio.sleep(_LOOK)
                copied, all_cpu = perf_counter() - began, cpu_seconds(pid) - before
            await client.close()
    print(f"| rows in SQLite | {rows / shown:,.0f} | {cpu / rows * 1e6:.0f} |")
    print(
        f"| and copied to JetStream, to rebuild from | {rows / copied:,.0f} | {all_cpu / rows * 1e6:.0f} |", flush=True
    )


def _batches(rows: int) -> list[bytes]:
    now = time()
    entries = []
    for number, mail in enumerate(messages(rows, 1)):
        record = ClaimRecord(
            Status.SENT, f"worker-{number}", 1, claimed_at=now, finished_at=now, message_id=f"010201-{number}"
        )
        origin = Origin("nats", f"messages:{number}", number, now)
        entries.append(encode_state(mail, origin, BucketEntry(record, number + 1, now), now, keep_subject=True))
    return [b"".join(entries[start : start + _BATCH]) for start in range(0, rows, _BATCH)]


async def table(mails: int) -> None:
    print(
        "\n| claim and outcome of a mail | mails/s, one client | CPU per mail, each node, µs | mails per core of the busiest "
        "| a remembered uuid: disk | memory |"
    )
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for nodes in (1, 3):
        await claims(mails, nodes=nodes)
    print("\n| the sidecar takes outcomes | rows/s | CPU per row, µs |\n|---|--:|--:|", flush=True)
    await projection(mails)
