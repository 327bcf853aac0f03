"""Which claims the ledgers granted, and what they were told about them, with true times: what the program can't know itself."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import Outcome, Stopped
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.address import normal_form
from tests.simulation.process import Process
from tests.simulation.world import World


@dataclass(slots=True)
class Asked:
    """One request for a claim. True times in seconds; None is what did not happen (yet)."""

    process: Process
    at: float
    granted_at: float | None = None
    write_by: float = 0.0
    """Until when the request may be written."""
    refused: bool = False
    finish_at: float | None = None
    """When the outcome was handed to the ledger."""
    outcome: Outcome | None = None
    recorded_at: float | None = None
    """When the ledger said that it is recorded."""
    doubted: bool = False
    """Somebody else refused or stopped the mail while it was open, as while its process was suspended."""

    @property
    def open(self) -> bool:
        """Whether nobody was ever told what became of it, so that it may count as an attempt."""
        return not self.refused and self.recorded_at is None


class Claims:
    """By the uuid and the first recipient, which tell mails of one uuid apart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked: defaultdict[tuple[str, str], list[Asked]] = defaultdict(list)
        self.stopped: defaultdict[tuple[str, str], list[Stopped]] = defaultdict(list)
        """What the ledger was told, and said that it is recorded."""

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Observe both ledgers in every process until the block ends."""
        with ExitStack() as patches:
            for kind in (SqliteLedger, JetStreamLedger):
                patches.enter_context(mock.patch.object(kind, "claim", self._claim(kind.claim)))
                patches.enter_context(mock.patch.object(kind, "finish", self._finish(kind.finish)))
            yield

    def of(self, uuid: str, key: str) -> list[Asked]:
        """All requests for this mail, in order."""
        return self.asked.get((uuid, key), [])

    def _claim(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def claim(ledger: Any, message: Any, origin: Any) -> Any:
            world, process = self._world, self._world.current
            assert process is not None
            asked = Asked(process, world.now)
            self.asked[message.uuid, normal_form(message.email)].append(asked)
            answer = await original(ledger, message, origin)
            if isinstance(answer, Claim):
                asked.granted_at = world.now
                asked.write_by = world.now + answer.deadline - process.elapsed()
                world.trace("claimed", uuid=message.uuid, attempt=answer.attempt)
            else:
                asked.refused = True
                self._doubt_others(asked, message)
            return answer

        return claim

    def _finish(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def finish(ledger: Any, message: Any, outcome: Any, origin: Any) -> None:
            world = self._world
            mine = [
                each
                for each in self.asked[message.uuid, normal_form(message.email)]
                if each.process is world.current and each.granted_at is not None and each.finish_at is None
            ]
            if not mine:
                self._doubt_others(None, message)
            for each in mine:
                each.finish_at, each.outcome = world.now, outcome
            world.trace("finish", uuid=message.uuid, outcome=type(outcome).__name__)
            await original(ledger, message, outcome, origin)
            for each in mine:
                each.recorded_at = world.now
            if isinstance(outcome, Stopped):
                self.stopped[message.uuid, normal_form(message.email)].append(outcome)

        return finish

    def _doubt_others(self, asked: Asked | None, message: Any) -> None:
        for each in self.asked[message.uuid, normal_form(message.email)]:
            each.doubted = each.doubted or (each is not asked and each.open)
