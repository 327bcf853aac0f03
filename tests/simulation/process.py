"""A process of the simulated world: an event loop of its own, with its own clocks, that can be killed or paused anywhere."""

import asyncio
import heapq
import math
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from tests.simulation.clock import EPOCH

if TYPE_CHECKING:
    from tests.simulation.world import World

Result = TypeVar("Result")
Args = TypeVarTuple("Args")

_RESOLUTION = 1e-6
"""Seconds: what is due within them is due. A process's time and true time differ by rounding."""


class Listener(asyncio.AbstractServer):
    """What `create_server` returns."""

    sockets = ()

    def __init__(self, process: "Process", port: int) -> None:
        self._process = process
        self._port = port

    def close(self) -> None:
        self._process.listening.pop(self._port, None)

    async def wait_closed(self) -> None:
        """Closed at once."""


class Process(asyncio.AbstractEventLoop):
    """Runs callbacks in the order in which they became ready, as asyncio does. The world decides when it gets a turn.

    What happens outside (a message, a commit) happens within a callback, so a kill between two callbacks covers a kill
    at every await.
    """

    def __init__(self, world: "World", name: str, skew: float) -> None:
        """`skew`: seconds by which its wall clock is ahead."""
        self.world = world
        self.name = name
        self.alive = True
        self.skew = skew
        self.paused_until = 0.0
        """True time."""
        self.steps = 0
        """Callbacks run so far."""
        self.ready: deque[asyncio.Handle] = deque()
        self.timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.listening: dict[int, Callable[[], asyncio.BufferedProtocol]] = {}
        """What accepts connections, by port."""
        self.on_kill: list[Callable[[], object]] = []
        """What the operating system does when the process ends: closes files and connections."""
        self._numbers = count()
        self._started = world.now
        self._suspended = 0.0

    # Its clocks

    def time(self) -> float:
        """Monotonic seconds; they stand still while the machine is suspended."""
        return self._time_at(self.world.now)

    def wall(self) -> float:
        """Unix seconds by its own clock."""
        return EPOCH + self.world.now + self.skew

    def next_timer(self) -> float | None:
        """True time of the next timer; None if there is none."""
        while self.timers and self.timers[0][2].cancelled():
            heapq.heappop(self.timers)
        if not self.timers:
            return None
        due = self.timers[0][0]
        when = max(self.world.now, due + self.world.now - self.time())
        while self._time_at(when) < due:  # rounded, time would stand still right before the timer
            when += math.ulp(due)
        return when

    # What the world does with it

    def spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start a task in the process."""
        return self.create_task(work)

    def call(self, callback: Callable[..., object], *args: object) -> None:
        """Run the callback in the process, as its loop does when data arrives; nothing happens if it is dead."""
        if self.alive:
            self.call_soon(callback, *args)

    def run_ready(self) -> None:
        """Run what is ready now; what becomes ready meanwhile has to wait for the next turn."""
        now = self.time() + _RESOLUTION
        while self.timers and self.timers[0][0] <= now:
            self.ready.append(heapq.heappop(self.timers)[2])
        with self._current():
            for _ in range(len(self.ready)):
                handle = self.ready.popleft()
                if handle.cancelled():
                    continue
                self.steps += 1
                handle._run()
                self.world.after_step(self)
                if not self.alive:
                    return

    def kill(self) -> None:
        """End it as SIGKILL does: no callback of it ever runs again."""
        if not self.alive:
            return
        self.alive = False
        self.listening.clear()
        self.world.bury(self)
        for callback in self.on_kill:
            callback()

    def pause(self, seconds: float) -> None:
        """Stop it as SIGSTOP does: its clocks go on."""
        self.paused_until = max(self.paused_until, self.world.now + seconds)
        self.world.after(seconds, lambda: None)

    def suspend(self, seconds: float) -> None:
        """Suspend its machine: the monotonic clock stands still."""
        self.pause(seconds)
        self._suspended += seconds

    def _time_at(self, when: float) -> float:
        return when - self._started - self._suspended + 1_000.0

    @contextmanager
    def _current(self) -> Iterator[None]:
        events._set_running_loop(self)
        self.world.current = self
        try:
            yield
        finally:
            self.world.current = None
            events._set_running_loop(None)

    # What asyncio asks of a loop

    def call_soon(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self.timers, (when, next(self._numbers), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when they are due."""

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Result], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Result]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def run_in_executor(
        self, _executor: object, func: Callable[[*Args], Result], *args: *Args
    ) -> "asyncio.Future[Result]":
        """Call it at once: there are no threads here."""
        future: asyncio.Future[Result] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - raised to who awaits it
            future.set_exception(error)
        return future

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BufferedProtocol], _host: object, port: int, **_: object
    ) -> asyncio.AbstractServer:
        self.listening[port] = protocol_factory
        return Listener(self, port)  # type: ignore[abstract]

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self.world.current is self

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.alive:
            return
        self.world.unhandled.append(f"{self.name}: {context.get('message')}: {context.get('exception')!r}")

    def add_signal_handler(self, _sig: int, _callback: Callable[..., object], *_args: object) -> None:
        """There are no signals here."""

    def remove_signal_handler(self, _sig: int) -> bool:
        return True
