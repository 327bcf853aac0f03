"""`python -m benchmarks.crash_proof --peers`: the same faults for this program and its peers, counted at the same endpoint."""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM

from benchmarks.crash_proof.harness import TOPIC, sandbox_process, upstream
from benchmarks.crash_proof.peer_counts import RUN_HEADER, PeerCount, table
from benchmarks.crash_proof.peer_senders import (
    COMMON,
    InJetStream,
    InMuseletter,
    Queue,
    Sender,
    install_museletter,
    senders,
)
from benchmarks.crash_proof.supervised import Supervised
from benchmarks.rate.sliding import most_in_a_second
from ses_sandbox.testing import SandboxProcess
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports

ACCOUNT_RATE = 150.0
"""Mails a second that the account allows; faster ones are throttled."""
_PUBLISHED = 100.0
"""Mails a second."""
_LATENCY = 0.03
_FAULTS = ("SIGKILL",) * 10 + ("SIGTERM",) * 5 + ("NATS",) * 3
_POISON = 20
"""Mails that SES rejects, and as many messages that can't be read."""
_STEP = 30.0
"""Seconds that a sender has to get on before the next fault comes anyway."""
_END = 120.0
"""Seconds after the last fault until good mail that is left counts as left."""
_END_OF_POISON = 15.0
"""Seconds after the last good mail until bad mail that is left does."""
_LOOK = 0.5
_PAGE = 1_000


async def compare(mails: int, runs: int, only: str) -> None:
    """Print a row for each run of each sender whose name contains `only`, and in the end the table of all."""
    found: dict[str, list[PeerCount]] = {}
    with tempfile.TemporaryDirectory() as environment:
        museletter = Path(environment)
        if only in "museletter":
            museletter = await install_museletter(museletter)
        print(RUN_HEADER, flush=True)
        for sender in senders(ACCOUNT_RATE, museletter):
            for seed in range(runs if only in sender.name else 0):
                with tempfile.TemporaryDirectory() as directory:
                    count = await _run(sender, Path(directory), min(mails, sender.most_mails or mails), seed)
                print(count.row(sender.name), flush=True)
                found.setdefault(sender.name, []).append(count)
    print("", table(found, ACCOUNT_RATE), sep="\n")


async def _run(sender: Sender, directory: Path, mails: int, seed: int) -> PeerCount:
    began = time.monotonic()
    chance = random.Random(seed)
    faults = [fault for fault in _FAULTS if fault != "NATS" or not sender.own_queue]
    chance.shuffle(faults)
    good = [f"mail-{number}@example.com" for number in range(mails)]
    rejected = [f"rejected-{number}@example.com" for number in range(_POISON)]
    addresses = [*good, *rejected]
    chance.shuffle(addresses)
    junk = 0 if sender.own_queue else _POISON
    async with _started(sender, directory) as harness:
        publishing = asyncio.create_task(harness.queue.publish(addresses, rate=_PUBLISHED, junk=junk))
        for number, fault in enumerate(faults, 1):
            await harness.sent(mails * number // (len(faults) + 1))
            await asyncio.sleep(chance.uniform(0, 0.3))
            await harness.commit(fault)
        await publishing
        drained = await harness.drained(good)
        left, sent = await harness.queue.left(), await harness.accepted()
        most = most_in_a_second(await harness.times())
    kept = left.waiting | left.dead
    return PeerCount(
        mails=mails,
        faults=len(faults),
        lost=sum(address not in sent and address not in kept for address in good),
        doubled=sum(times - 1 for times in sent.values()),
        waiting=sum(address not in sent and address in kept for address in good),
        poison=sum(address in kept for address in rejected) + left.junk,
        bad=len(rejected) + junk,
        drained=drained,
        most=most,
        seconds=round(time.monotonic() - began),
    )


@dataclass
class PeerHarness:
    """One sender, with what it talks to."""

    sandbox: SandboxProcess
    nats: NatsServer
    process: Supervised
    queue: Queue

    async def sent(self, mails: int) -> None:
        """Wait until this many were sent, or it takes too long."""
        await self.sandbox.get("/messages/wait", count=mails, timeout=round(_STEP))

    async def commit(self, fault: str) -> None:
        match fault:
            case "SIGKILL":
                await self.process.signal(SIGKILL)
            case "SIGTERM":
                await self.process.signal(SIGTERM)
            case _:
                await self.nats.kill()
                await self.nats.restart()

    async def drained(self, good: Sequence[str]) -> bool:
        """Wait until nothing waits any more; False if good mail takes too long, or bad mail after it."""
        clock = asyncio.get_running_loop().time
        give_up_at, only_poison = clock() + _END, False
        while (waits := await self.queue.waits()) and clock() < give_up_at:
            await asyncio.sleep(_LOOK)
            if not only_poison and not set(good) - set(await self.accepted()):
                give_up_at, only_poison = clock() + _END_OF_POISON, True
        return not waits

    async def accepted(self) -> Counter[str]:
        """How often SES accepted a mail to each address."""
        found: Counter[str] = Counter()
        after = 0
        while page := (await self.sandbox.get("/messages", after=after, limit=_PAGE))["messages"]:
            found.update(mail["to"][0] for mail in page)
            after = page[-1]["id"]
        return found

    async def times(self) -> list[float]:
        return [at for at, _ in (await self.sandbox.get("/messages/timeline"))["timeline"]]


@asynccontextmanager
async def _started(sender: Sender, directory: Path) -> AsyncIterator[PeerHarness]:
    [port] = free_ports(1)
    events_to = f"http://127.0.0.1:{port}/v1/events/results"
    sandbox = sandbox_process(directory, events_to if sender.takes_events else None)
    async with NatsServer(directory / "nats") as nats, sandbox:
        await sandbox.put("/sandbox/account", {"max_send_rate": ACCOUNT_RATE})
        await sandbox.post("/sandbox/faults", {"action": {"kind": "delay", "seconds": _LATENCY}})
        rejection = {"kind": "error", "code": "MessageRejected"}
        await sandbox.post("/sandbox/faults", {"match": {"to": "rejected-*"}, "action": rejection})
        variables = {
            "NATS_URL": nats.url,
            "AWS_ENDPOINT_URL_SESV2": sandbox.url,
            "AWS_ENDPOINT_URL_SNS": sandbox.url,
            "SNS_TOPIC_ARNS": TOPIC,
            "SANDBOX_CERTIFICATE": str(directory / "sandbox" / "sns-certificate.pem"),
            "SERVER_PORT": str(port),
            "SERVER_URL": f"http://127.0.0.1:{port}",
        }
        client = await upstream(nats.url)
        queue: Queue = InJetStream(client.jetstream())
        command = sender.command
        if sender.own_queue:
            file = directory / "sender" / "museletter.db"
            variables |= {"MUSELETTER_DB_PATH": str(file)}
            command = (*command, "--port", str(port))
            queue = InMuseletter(f"http://127.0.0.1:{port}", file)
        else:
            await queue.open()
        environment = {**COMMON, **variables, **sender.variables}
        async with Supervised(directory / "sender", command, environment) as process:
            if sender.own_queue:
                await queue.open()
            yield PeerHarness(sandbox, nats, process, queue)
        await client.close()
