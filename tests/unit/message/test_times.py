"""Times in a message: what means "not set", what is refused, and that whatever is taken survives being kept."""

from datetime import UTC, datetime

import msgpack
import pytest

from email_consumer.message.keys import Reading
from email_consumer.message.model import UndecodableError, decode, encode
from tests.unit.message.forms import FORMS, MAIL, read

FORM = pytest.mark.parametrize("form", FORMS)
TIMES = pytest.mark.parametrize("name", ["scheduled_at", "expiresAt"])


@FORM
@TIMES
@pytest.mark.parametrize(
    "value", ["9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00Z", "0001-01-01t00:00:00z", "9999-12-31 23:59:59"]
)
def test_never_and_zero_are_not_set(name: str, value: str, form: str) -> None:
    message = read(form, **{name: value})
    assert (message.scheduled_at, message.expires_at) == (None, None)
    assert decode(encode(message)) == message


@TIMES
@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [(-62135596800, 0), (253402300799, 999_999_900), (253402300800, 0), (2**63 - 1, 999_999_999)],
)
def test_so_they_are_as_timestamps(name: str, seconds: int, nanoseconds: int) -> None:
    message = decode(msgpack.packb(MAIL | {name: msgpack.Timestamp(seconds, nanoseconds)}))
    assert (message.scheduled_at, message.expires_at) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "nanoseconds", "size"), [(2**32 - 1, 0, 4), (2**32 - 1, 5_000, 8), (2**34, 7_000, 12)]
)
def test_timestamps_of_all_three_sizes(seconds: int, nanoseconds: int, size: int) -> None:
    stamp = msgpack.Timestamp(seconds, nanoseconds)
    assert len(stamp.to_bytes()) == size
    expected = datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1_000)
    assert decode(msgpack.packb(MAIL | {"scheduled_at": stamp})).scheduled_at == expected


def test_a_timestamp_nobody_reads_is_no_reason_to_refuse() -> None:
    decode(msgpack.packb(MAIL | {"created": msgpack.Timestamp(2**63 - 1, 0)}))


@FORM
@TIMES
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("1970-01-01T00:00:00Z", "before the year 2000"),
        ("1999-12-31T23:59:59.999Z", "before the year 2000"),
        ("2024-12-25T10:00:00+99:00", "is not a time"),
        ("soon", "is not a time"),
        (1735117200, "is not a time"),
        (1e300, "is not a time"),
        (True, "is not a time"),
        (["2024-12-25T10:00:00Z"], "is not a time"),
    ],
)
def test_anything_else_is_refused_with_the_reason(name: str, value: object, fault: str, form: str) -> None:
    with pytest.raises(UndecodableError, match=rf"^(scheduled|expires)_at: .*{fault}"):
        read(form, **{name: value})


@FORM
def test_a_mail_that_could_never_be_sent_is_refused(form: str) -> None:
    due = "2030-01-01T10:00:00+01:00"
    for expires in ("2030-01-01T09:00:00Z", "2029-12-31T00:00:00Z"):
        with pytest.raises(UndecodableError, match="expires_at is not after scheduled_at"):
            read(form, scheduled_at=due, expires_at=expires)
    assert read(form, scheduled_at=due, expires_at="2030-01-01T09:00:01Z").expires_at
    assert read(form, scheduled_at=due, expires_at="0001-01-01T00:00:00Z").scheduled_at


def test_the_latest_time_is_kept_to_the_microsecond() -> None:
    message = read("map", expires_at="9998-12-31T23:59:59.9999999+00:00")
    assert decode(encode(message), Reading()).expires_at == datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
