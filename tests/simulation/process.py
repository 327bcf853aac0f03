"""A process of the simulated world: an event loop of its own, with its own clocks, that can be killed or paused anywhere."""

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from tests.simulation.clock import EPOCH

if TYPE_CHECKING:
    from tests.simulation.world import World

Result = TypeVar("Result")


class _Handle:
    """What asyncio.Handle and TimerHandle are to asyncio's own loops, without what costs time."""

    __slots__ = ("_args", "_context", "_when", "callback")

    def __init__(
        self, callback: Callable[..., object], args: tuple[object, ...], context: Context | None, when: float = 0.0
    ) -> None:
        self.callback: Callable[..., object] | None = callback
        """None once it is cancelled."""
        self._args = args
        self._context = copy_context() if context is None else context
        self._when = when

    def __repr__(self) -> str:
        return f"{self.callback!r}{self._args!r}"

    def cancel(self) -> None:
        self.callback = None
        self._args = ()

    def cancelled(self) -> bool:
        return self.callback is None

    def when(self) -> float:
        return self._when

    def run(self, process: "Process") -> None:
        assert self.callback is not None
        try:
            self._context.run(self.callback, *self._args)
        except Exception as error:  # noqa: BLE001 - as asyncio
            process.call_exception_handler({"message": f"in callback {self!r}", "exception": error})


_AT_START = 1_000.0
"""Monotonic seconds when a process begins."""
_RESOLUTION = 1e-9
"""Seconds by which a timer is late: sums of floats are not exact, and it must not be early."""


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
        self.unreachable_until = 0.0
        """True time; nobody connects to a suspended machine, while a stopped process finds the connections when it goes on."""
        self.steps = 0
        """Callbacks run so far."""
        self.ready: deque[_Handle] = deque()
        self.timers: list[tuple[float, int, _Handle]] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.listening: dict[int, Callable[[], asyncio.BufferedProtocol]] = {}
        """What accepts connections, by port."""
        self.on_kill: list[Callable[[], object]] = []
        """What the operating system does when the process ends: closes files and connections."""
        self._numbers = count()
        self.began_at = world.now
        """True time."""
        self.ended_at: float | None = None
        """True time; None while it lives."""
        self._suspended = 0.0

    # Its clocks

    def time(self) -> float:
        """Monotonic seconds; they stand still while the machine is suspended."""
        return self.world.now - self.began_at - self._suspended + _AT_START

    def elapsed(self) -> float:
        """Seconds; they go on while the machine is suspended."""
        return self.world.now - self.began_at + 2_000.0

    def wall(self) -> float:
        """Unix seconds by its own clock."""
        return EPOCH + self.world.now + self.skew

    def next_timer(self) -> float | None:
        """True time of the next timer; None if there is none."""
        while self.timers and self.timers[0][2].callback is None:
            heapq.heappop(self.timers)
        if not self.timers:
            return None
        due = self.timers[0][0] - _AT_START + self.began_at + self._suspended + _RESOLUTION
        return max(self.world.now, due)

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
        world, ready, timers = self.world, self.ready, self.timers
        now = self.time()
        while timers and timers[0][0] <= now:
            ready.append(heapq.heappop(timers)[2])
        events._set_running_loop(self)
        world.current = self
        try:
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle.callback is None:
                    continue
                self.steps += 1
                handle.run(self)
                if world.on_step:
                    for watch in tuple(world.on_step):
                        watch(self)
                    if self.paused_until > world.now:
                        return
                if not self.alive:
                    return
        finally:
            world.current = None
            events._set_running_loop(None)

    def kill(self) -> None:
        """End it as SIGKILL does: no callback of it ever runs again."""
        if not self.alive:
            return
        self.alive = False
        self.ended_at = self.world.now
        self.listening.clear()
        self.world.remove(self)
        for callback in self.on_kill:
            callback()

    def forget(self) -> None:
        """Let go of everything it did; its coroutines are closed wherever they wait."""
        for task in self.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self.tasks.clear()
        self.ready.clear()
        self.timers.clear()
        self.on_kill.clear()

    def pause(self, seconds: float) -> None:
        """Stop it as SIGSTOP does: its clocks go on."""
        self.paused_until = max(self.paused_until, self.world.now + seconds)
        self.world.after(seconds, lambda: None)

    def suspend(self, seconds: float) -> None:
        """Suspend its machine: the monotonic clock stands still."""
        until = self.world.now + seconds
        self._suspended += max(0.0, until - max(self.world.now, self.unreachable_until))  # it may sleep already
        self.unreachable_until = max(self.unreachable_until, until)
        self.pause(seconds)

    # What asyncio asks of a loop

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> "_Handle":
        handle = _Handle(callback, args, context)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> "_Handle":
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> "_Handle":
        timer = _Handle(callback, args, context, when)
        heapq.heappush(self.timers, (when, next(self._numbers), timer))
        return timer

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
        self, _executor: object, func: Callable[..., Result], *args: object
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
