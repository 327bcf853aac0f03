"""What became of the mail of this program and its peers, as a row of each run and a table of all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

RUN_HEADER = (
    "| sender | mails | faults | lost | doubled | still waiting | poison kept | drained | most in a second | seconds |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class PeerCount:
    """What became of one run's mails."""

    mails: int
    faults: int
    lost: int
    """Neither sent nor anywhere in the sender's keeping."""
    doubled: int
    """Each time that a mail was sent again."""
    waiting: int
    """Good mail that was not sent by the end, and is not lost."""
    poison: int
    """Bad mail that is kept for somebody to look at."""
    bad: int
    """Bad mail that there was."""
    drained: bool
    """Nothing was left in the queue in the end, good or bad."""
    most: int
    """Mails that SES accepted in the fullest second."""
    seconds: int
    """That the run took."""

    def row(self, name: str) -> str:
        return (
            f"| {name} | {self.mails:,} | {self.faults} | {self.lost} | {self.doubled} | {self.waiting} "
            f"| {self.poison} of {self.bad} | {self.end} | {self.most} | {self.seconds} |"
        )

    @property
    def end(self) -> str:
        """Whether the queue was empty in the end."""
        if self.waiting:
            return f"stuck, {self.waiting} left"
        return "yes" if self.drained else "no, poison left"


def table(found: Mapping[str, Sequence[PeerCount]], rate: float) -> str:
    """Senders in columns, with the runs of each. `rate`: mails a second that SES allowed."""
    rows = {
        "mails · faults of each run": [f"{runs[0].mails:,} · {runs[0].faults}" for runs in found.values()],
        "lost": [_each(str(run.lost) for run in runs) for runs in found.values()],
        "doubled": [_each(str(run.doubled) for run in runs) for runs in found.values()],
        "poison kept": [_each(f"{run.poison} of {run.bad}" for run in runs) for runs in found.values()],
        "drained": [_each(run.end for run in runs) for runs in found.values()],
        f"most in a second (SES allows {rate:g})": [_each(str(run.most) for run in runs) for runs in found.values()],
    }
    lines = [["", *found], ["---"] * (len(found) + 1), *([name, *cells] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _each(values: Iterable[str]) -> str:
    """The runs' values; one alone if they are all the same."""
    every = list(values)
    return every[0] if len(set(every)) == 1 else " · ".join(every)
