"""The program's processes in the world, restarted as a container runtime does."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from email_consumer.roles import process as roles
from email_consumer.roles.options import role_options
from email_consumer.roles.run import build_run
from email_consumer.roles.sidecar import build_sidecar
from email_consumer.roles.worker import build_worker
from email_consumer.runtime.errors import OperatorError
from email_consumer.settings import Settings, load_settings
from tests.simulation.process import Process
from tests.simulation.world import World

_BUILD: Mapping[str, roles.Build] = {
    "run": build_run,
    "worker": build_worker,
    "sidecar": build_sidecar,
}
_RESTART = 0.2, 3.0


@dataclass(slots=True)
class Member:
    """One of the processes, in whichever life it is."""

    name: str
    role: str
    environ: Mapping[str, str]
    usual_skew: float = 0.0
    """Seconds by which its wall clock is ahead, unless somebody sets it."""
    skew: float = 0.0
    process: Process | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    starts: int = 0
    exits: list[str] = field(default_factory=list)
    """Why it ended by itself, each time."""
    changes: list[float] = field(default_factory=list)
    """True times at which it began, was told to end, or ended."""


class Installation:
    """Starts its members, and starts each again after it ended."""

    def __init__(self, world: World, members: list[Member]) -> None:
        self.restart = _RESTART
        """Seconds until a process that ended is started again, from and to."""
        self.members = {member.name: member for member in members}
        self._world = world
        self.settings = {member.name: load_settings(member.environ) for member in members}

    def start(self) -> None:
        """Start everything."""
        for member in self.members.values():
            self._start(member)

    @property
    def processes(self) -> list[Process]:
        """Those alive."""
        return [member.process for member in self.members.values() if member.process]

    def http(self) -> Process | None:
        """The process that serves the API, if it is alive; of several, one of those alive, as behind a load balancer."""
        serving = [each.process for each in self.members.values() if each.role in {"run", "sidecar"} and each.process]
        if len(serving) > 1:
            return self._world.random.choice(serving)
        return serving[0] if serving else None

    def kill(self, name: str) -> None:
        """SIGKILL; it is started again after a while."""
        member = self.members[name]
        if member.process:
            member.process.kill()
            self._ended(member)

    def terminate(self, name: str) -> None:
        """SIGTERM; it drains, ends, and is started again."""
        member = self.members[name]
        if member.process:
            member.changes.append(self._world.now)
            member.process.call(member.stop.set)

    def _start(self, member: Member) -> None:
        member.starts += 1
        member.changes.append(self._world.now)
        member.stop = asyncio.Event()
        process = member.process = self._world.process(member.name, member.skew)
        self._world.trace("started", process=member.name)
        main = process.spawn(_main(member, self.settings[member.name]))
        main.add_done_callback(partial(self._exited, member, process))

    def _exited(self, member: Member, process: Process, main: "asyncio.Task[None]") -> None:
        if not process.alive:
            return
        error = None if main.cancelled() else main.exception()
        if error:
            member.exits.append(repr(error) if isinstance(error, OperatorError) else f"CRASH {error!r}")
            self._world.trace("exited", process=member.name, error=repr(error))
        self._world.after(0, self._reap, member, process)

    def _reap(self, member: Member, process: Process) -> None:
        if process.alive:
            process.kill()
            self._ended(member)

    def _ended(self, member: Member) -> None:
        member.process = None
        member.changes.append(self._world.now)
        self._world.after(self._world.random.uniform(*self.restart), self._start, member)


async def _main(member: Member, settings: Settings) -> None:
    services = await roles._start(partial(_BUILD[member.role], role_options(settings)))
    async with services:
        await services.run(member.stop)
