"""SES as a whole: decides on requests, remembers what it did, and lets requests and answers take their courses."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from itertools import accumulate

from email_consumer.ses.transport import Answer, AnswerMissingError
from ses_sandbox.identifiers import ses_message_id
from tests.simulation.clock import EPOCH
from tests.simulation.process import Process
from tests.simulation.ses import answers
from tests.simulation.ses.account import AccountState
from tests.simulation.ses.courses import Course, usual
from tests.simulation.ses.exchange import Accepted, Exchange, Request
from tests.simulation.ses.session import ModelSession
from tests.simulation.world import World

_TRAVEL = 0.002, 0.02
"""Seconds from writing a request to its arrival, from and to."""
_DECISION = 0.005, 0.06
"""Seconds from its arrival to the answer's return."""


class Ses:
    """The one account that all processes of a world send through."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = AccountState(world)
        self.accepted: dict[str, list[Accepted]] = {}
        """What SES took on, by uuid (its tag), in order: the truth."""
        self.exchanges: defaultdict[str, list[Exchange]] = defaultdict(list)
        """Every attempt of the program, by uuid, in order."""
        self.arrivals: list[tuple[float, int]] = []
        """True time and recipients of every request that reached SES: what its rate limit sees."""
        self.on_accepted: list[Callable[[Accepted], object]] = []
        self.cut_off: set[str] = set()
        """Names of processes that can't reach SES at present, nor be reached by its answers."""
        self.account_unavailable = ""
        """Why GetAccount fails, if it does."""
        self.account_forbidden = False
        """Whether it fails because of a missing permission."""
        self._usual = usual()
        self._courses: list[Course] = [self._usual]
        self._weights: list[float] = [1]
        self._scripts: dict[str, deque[Course]] = {}
        self._next: deque[Course] = deque()

    # What a scenario says

    def behave(self, weights: Mapping[Course, float] | None = None) -> None:
        """From now on attempts take these courses, drawn by their weights; without an argument all take the usual one."""
        weights = weights or {self._usual: 1}
        self._courses = list(weights)
        self._weights = list(accumulate(weights.values()))

    def script(self, uuid: str, *courses: Course) -> None:
        """The next attempts of one mail take these courses; those after them are drawn as usual."""
        self._scripts.setdefault(uuid, deque()).extend(courses)

    def script_next(self, *courses: Course) -> None:
        """The next attempts of any mail without a script of its own take these courses."""
        self._next.extend(courses)

    # What the program does

    async def open_session(
        self, *, connections: int = 100, connect_timeout: float = 5.0, read_timeout: float = 30.0, **_: object
    ) -> ModelSession:
        """In place of `AwsSession.open`, whose options it takes; called in a process of the world."""
        process = asyncio.get_running_loop()
        assert isinstance(process, Process)
        return ModelSession(
            self, process, connections=connections, connect_timeout=connect_timeout, read_timeout=read_timeout
        )

    def begin(self, process: Process, body: bytes) -> Exchange:
        """An attempt begins; nothing is written yet."""
        request = Request.read(body)
        exchange = Exchange(process, request, self._course(request.uuid), self.world.now)
        self.exchanges[request.uuid].append(exchange)
        return exchange

    def write(self, exchange: Exchange, headers: Mapping[str, str], answer: asyncio.Future[Answer]) -> None:
        """The request is on its way: from here on it arrives even if its process dies."""
        exchange.written_at = self.world.now
        self.world.trace("ses.request", uuid=exchange.request.uuid, course=exchange.course.name)
        travel = exchange.course.travel
        self.world.after(
            self.world.random.uniform(*_TRAVEL) if travel is None else travel, self._arrive, exchange, headers, answer
        )

    # What happens outside the program

    def _course(self, uuid: str) -> Course:
        if scripted := self._scripts.get(uuid):
            return scripted.popleft()
        if self._next:
            return self._next.popleft()
        if len(self._courses) == 1:
            return self._courses[0]
        return self.world.random.choices(self._courses, cum_weights=self._weights)[0]

    def _arrive(self, exchange: Exchange, headers: Mapping[str, str], answer: asyncio.Future[Answer]) -> None:
        course = exchange.course
        if exchange.process.name in self.cut_off:
            self.world.trace("ses.request lost", uuid=exchange.request.uuid)
            return
        comes_back = course.instead
        if course.arrives:
            verdict = self._decide(exchange, headers)
            comes_back = verdict if comes_back is None else comes_back
        if course.answered and comes_back is not None:
            delay = self.world.random.uniform(*_DECISION) if course.delay is None else course.delay
            self.world.after(delay, self._return, exchange, comes_back, answer)

    def _decide(self, exchange: Exchange, headers: Mapping[str, str]) -> Answer:
        request, now = exchange.request, self.world.now
        exchange.arrived_at = now
        self.arrivals.append((now, len(request.recipients)))
        refusal = (
            self.account.authenticate(headers) or exchange.course.refusal or self.account.admit(len(request.recipients))
        )
        exchange.verdict = refusal.headers["x-amzn-errortype"] if refusal else "accepted"
        self.world.trace("ses.decided", uuid=request.uuid, verdict=exchange.verdict)
        if refusal:
            return refusal
        mail = Accepted(now, ses_message_id(EPOCH + now), request, exchange.process.name)
        self.accepted.setdefault(request.uuid, []).append(mail)
        for callback in self.on_accepted:
            callback(mail)
        return answers.accepted(mail.message_id)

    def _return(self, exchange: Exchange, what: Answer | str, answer: asyncio.Future[Answer]) -> None:
        if exchange.process.name in self.cut_off:
            self.world.trace("ses.answer lost", uuid=exchange.request.uuid)
            return
        exchange.answered_at = self.world.now
        exchange.process.call(_resolve, answer, what)


def _resolve(answer: asyncio.Future[Answer], what: Answer | str) -> None:
    if answer.done():  # given up meanwhile
        return
    if isinstance(what, Answer):
        answer.set_result(what)
    else:
        answer.set_exception(AnswerMissingError(what))
