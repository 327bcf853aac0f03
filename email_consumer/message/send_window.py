"""When mail may be sent: on some days of the week, between two times of day by the local clock.

What the clock shows decides. An hour that the clocks skip does not exist, and one that they repeat counts twice. A window
that ends before it begins, such as 22:00-06:00, runs past midnight and belongs to the day on which it begins.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_ALWAYS = "always"
_DAY = timedelta(days=1)
_MIDNIGHT = 1_440
_HORIZON = 15
"""Days within which each window opens: that of a single day misses a week when the clocks skip its hours."""
_MOST = 100
"""Characters."""


class NoTimeZoneError(ValueError):
    def __init__(self) -> None:
        super().__init__("is not a time zone of the tz database, such as Europe/Berlin")


@dataclass(frozen=True, slots=True)
class Opening:
    """Times in Unix seconds."""

    begin: float
    end: float
    """The first moment that is outside again."""


@dataclass(frozen=True, slots=True)
class SendWindow:
    """Minutes count from midnight by the local clock."""

    days: frozenset[int] = frozenset(range(7))
    """0 is Monday."""
    first: int = 0
    until: int = _MIDNIGHT
    """The first minute that is outside again."""
    zone: str | None = None
    """Of the tz database; None: that of the recipient or of the settings."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Of text such as `mon-fri 09:00-18:00 Europe/Berlin`, or of a map with `days`, `from`, `until` and `timezone`.

        Raises:
            ValueError: it is neither.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping):
            given = {_text(key): item for key, item in value.items()}
            if given.keys() - {"days", "from", "until", "timezone"}:
                raise ValueError("may have days, from, until and timezone, and no other key")
            days = given.get("days") or "mon-sun"
            listed = ",".join(map(_text, days)) if isinstance(days, (list, tuple)) else _text(days)
            clock = f"{_text(given.get('from') or '00:00')}-{_text(given.get('until') or '24:00')}"
            value = f"{listed} {clock} {_text(given.get('timezone') or '')}"
        text = _text(value).strip()
        if text.lower() == _ALWAYS:
            return cls()
        parts = text.split() if len(text) <= _MOST else []
        if parts and "-" in parts[0] and ":" in parts[0]:
            parts.insert(0, "mon-sun")
        if len(parts) not in (2, 3):
            raise ValueError(
                "must be such as `mon-fri 09:00-18:00` or `mon-fri 09:00-18:00 Europe/Berlin`, or `always`"
            )
        first, _, until = parts[1].partition("-")
        window = cls(_days(parts[0]), _minute(first), _minute(until), time_zone(parts[2]) if parts[2:] else None)
        if window.first in {window.until, _MIDNIGHT}:
            raise ValueError("is an empty window: it ends as it begins")
        return window

    def __str__(self) -> str:
        days = ",".join(_DAYS[day] for day in sorted(self.days))
        zone = f" {self.zone}" if self.zone else ""
        return f"{days} {_clock(self.first)}-{_clock(self.until)}{zone}"

    def includes(self, local: datetime) -> bool:
        """Whether the local clock shows a time that is inside."""
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.first < self.until:
            return day in self.days and self.first <= minute < self.until
        return (day in self.days and minute >= self.first) or ((day - 1) % 7 in self.days and minute < self.until)

    def opening(self, zone: ZoneInfo, now: float) -> Opening:
        """The present opening, or the next one, `now` in Unix seconds; one without an end ends at the horizon."""
        moment = datetime.fromtimestamp(now, UTC)
        later = [(change, self.includes(change.astimezone(zone))) for change in self._changes(zone, moment)]
        begin = now  # as given: a datetime of it may be later by half a microsecond
        if not self.includes(moment.astimezone(zone)):
            later = later[next(place for place, (_, inside) in enumerate(later) if inside) :]
            begin = later[0][0].timestamp()
        end = next((change for change, inside in later if not inside), later[-1][0])
        return Opening(begin, end.timestamp())

    def _changes(self, zone: ZoneInfo, moment: datetime) -> list[datetime]:
        """All moments from then to the horizon at which a window may begin or end, in order."""
        first_day = moment.astimezone(zone).date() - _DAY
        days = [first_day + number * _DAY for number in range(_HORIZON + 2)]
        walls = [_wall(day, minute) for day in days for minute in (0, self.first, self.until)]
        found = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for wall in walls for fold in (0, 1)}
        found.update(_transitions(zone, moment, moment + _HORIZON * _DAY))
        return sorted(change for change in found if change > moment)


def _wall(day: date, minute: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minute)


def _transitions(zone: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    """When the clocks are changed."""
    found = []
    while begin < end:
        following = begin + _DAY
        if _offset(zone, begin) != _offset(zone, following):
            before, after = begin, following
            while after - before > timedelta(seconds=1):
                middle = before + (after - before) / 2
                before, after = (middle, after) if _offset(zone, middle) == _offset(zone, begin) else (before, middle)
            found.append(after.replace(microsecond=0))
        begin = following
    return found


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


@cache
def zone_named(name: str) -> ZoneInfo:
    """A zone that `time_zone` has accepted."""
    return ZoneInfo(name)


def time_zone(name: str) -> str:
    """The name of a zone, as given.

    Raises:
        NoTimeZoneError: the tz database doesn't have it.
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise NoTimeZoneError from None
    return name


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise ValueError("must be text, or a map of text")  # noqa: TRY004 - as all that is refused
    return text


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise ValueError("must have days such as mon, tue, wed, thu, fri, sat, sun or mon-fri")
        begin, length = _DAYS.index(first), (_DAYS.index(last or first) - _DAYS.index(first)) % 7
        found.update((begin + number) % 7 for number in range(length + 1))
    return frozenset(found)


def _minute(text: str) -> int:
    if not _CLOCK.fullmatch(text):
        raise ValueError("must have times of day such as 09:00-18:00")
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


Window = Annotated[
    SendWindow,
    BeforeValidator(SendWindow.parse),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": ["string", "object"],
            "description": "Days, times of day and, if it is not the recipient's, the time zone",
            "examples": ["mon-fri 09:00-18:00", {"days": ["mon", "tue"], "from": "09:00", "until": "18:00"}],
        }
    ),
]
Zone = Annotated[str, AfterValidator(time_zone), Field(max_length=64)]
"""A name of the tz database."""
