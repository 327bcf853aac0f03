"""What is left of an address after its erasure, on a real SQLite file."""

import pytest

from email_consumer.message.address import normal_form, parse_address
from email_consumer.message.lane import Lane
from email_consumer.message.model import decode
from email_consumer.replica.capture import CHANGES, capture
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.store.database import Database
from email_consumer.store.erasure import Erased, erase
from email_consumer.store.status import Status
from tests.factories import content
from tests.integration.store.mails import add_mail, add_unmatched, rows

JANE = "jane@example.com"
JOHN = "john@example.com"


async def _dump(database: Database) -> str:
    """Everything in the file, as text in lower case."""
    tables = await rows(database, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return "\n".join(
        [str(row) for (name,) in tables for row in await rows(database, f"SELECT * FROM {name}")]  # noqa: S608
    ).lower()


async def _status(database: Database, uuid: str) -> object:
    [(status,)] = await rows(database, f"SELECT status FROM email_requests WHERE uuid = '{uuid}'")  # noqa: S608
    return status


async def test_the_tables_contain_the_address_no_more(database: Database) -> None:
    await add_mail(database, email=JANE, topic="t", results=[("Send", JANE), ("Delivery", JANE)])
    await add_mail(database, email=f"Jane Doe <{JANE.title()}>", status=Status.FAILED, error=f"550 no such user {JANE}")
    await add_mail(database, email=JOHN, topic="t", results=[("Send", JOHN), ("Send", JANE)])  # she got a copy
    await add_mail(database, email=JANE, content=content("Dear Jane"))
    await add_mail(database, email=JOHN, content=content("x", cc=(JANE,)))
    await add_unmatched(database, [JANE])
    erased = await erase(database, JANE)
    assert erased == Erased(mails=4, stopped=0, contents=2, contents_kept=0, events=1, suppressed=False)
    assert "jane" not in await _dump(database)


@pytest.mark.parametrize(
    ("written", "erased_as"),
    [
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@xn--bcher-kva.example", "Anna@BÜCHER.example"),
        (" anna@bücher.example", "anna@bücher.example"),
        ("Anna < anna@bücher.example>", "<anna@bücher.example>"),
        ('"anna"@bücher.example', "anna@bücher.example"),
        ("ANNA@bücher.example", '"anna"@bücher.example'),
        ("anna@\uff42ücher.example", "\uff41nna@bücher.example"),
    ],
)
async def test_an_address_is_erased_however_it_was_written(database: Database, written: str, erased_as: str) -> None:
    waiting = await add_mail(database, email=written, status=Status.CREATED, content=content("later"))
    await add_mail(database, email=written, results=[("Delivery", normal_form(written))])
    await add_mail(database, email=JOHN, content=content(f"ask {written}, please"))
    await add_mail(database, email=JOHN, content=content("copied", bcc=(written,)))
    await add_unmatched(database, {"mail": {"destination": [written]}})
    erased = await erase(database, normal_form(erased_as))
    assert erased == Erased(mails=2, stopped=1, contents=3, contents_kept=0, events=1, suppressed=False)
    assert await _status(database, waiting) == Status.STOPPED
    left = await _dump(database)
    assert "cher" not in left
    assert "anna" not in left


async def test_an_address_is_not_taken_for_the_end_of_another_one(database: Database) -> None:
    johns = [
        await add_mail(database, email=written, status=Status.CREATED, content=content(f"Dear {written}"))
        for written in (JOHN, f"John <{JOHN}>")
    ]
    await add_mail(database, email="n@example.com", status=Status.FAILED, error=f"552 moved to {JOHN}")
    await add_mail(database, email="n@example.com", content=content(f"forward to {JOHN}", cc=(JOHN,)))
    await add_mail(database, email=JOHN, content=content("x", cc=("m.n@example.com", "n@example.com.evil.example")))
    await add_unmatched(
        database, {"mail": {"destination": [JOHN], "headers": [{"name": "To", "value": f"J <{JOHN}>"}]}}
    )
    erased = await erase(database, "n@example.com")
    assert erased == Erased(mails=2, stopped=0, contents=1, contents_kept=0, events=0, suppressed=False)
    assert [await _status(database, uuid) for uuid in johns] == [Status.CREATED, Status.CREATED]
    assert await rows(database, "SELECT reason FROM email_attempts") == [(f"552 moved to {JOHN}",)]
    assert await rows(database, "SELECT count(*) FROM unmatched_events") == [(1,)]


async def test_waiting_mail_to_others_goes_on_without_the_copy(database: Database) -> None:
    shared = content("news", text="t", cc=(f"Jane <{JANE}>", "max@example.com"), bcc=(JANE,))
    waiting = [
        await add_mail(database, email=email, status=Status.CREATED, content=shared) for email in (JOHN, "m@x.de")
    ]
    sent = await add_mail(database, email=JOHN, content=shared)
    erased = await erase(database, JANE)
    assert (erased.mails, erased.stopped, erased.contents, erased.contents_kept) == (0, 0, 1, 0)
    due = await DueMail(database).take(Lane.BULK, 10)
    mails = [decode(message.payload) for message in due.messages]
    assert [mail.uuid for mail in mails] == waiting
    assert {(mail.body, mail.text, mail.cc, mail.bcc) for mail in mails} == {("news", "t", ("max@example.com",), ())}
    assert await rows(database, f"SELECT content_id FROM email_requests WHERE uuid = '{sent}'") == [(None,)]  # noqa: S608
    assert "jane" not in await _dump(database)


async def test_what_a_uuid_stood_for_is_forgotten_with_the_address(database: Database) -> None:
    """Erased, a mail is to nobody in particular; without the copy it goes to others than its uuid stood for."""
    await add_mail(database, email=JANE)
    await add_mail(database, email=JOHN, status=Status.CREATED, content=content("news", cc=(JANE,)))
    await add_mail(database, email=JOHN)
    async with database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET recipients_hash = 1, content_hash = 2")
    await erase(database, JANE)
    hashes = await rows(database, "SELECT recipients_hash, content_hash FROM email_requests ORDER BY id")
    assert hashes == [(None, None), (None, 2), (1, 2)]


async def test_mail_in_doubt_is_not_published_to_the_made_up_name(database: Database) -> None:
    await add_mail(database, email=JANE, status=Status.PROCESSED, in_doubt=True, content=content("b"))
    await erase(database, JANE)
    assert (await DueMail(database).take(Lane.BULK, 10)).messages == []


async def test_others_keep_theirs_and_the_sums_stay(database: Database) -> None:
    shared = content("newsletter")
    await add_mail(database, email=JANE, topic="t", content=shared, results=[("Delivery", JANE), ("Open", JANE)])
    await add_mail(database, email=JOHN, topic="t", content=shared, results=[("Delivery", JOHN)])
    await add_mail(database, email="maryjane@example.com")
    before = [await rows(database, f"SELECT * FROM {table}") for table in ("topic_counts", "topic_results")]  # noqa: S608
    assert (await erase(database, JANE)).mails == 1
    assert [await rows(database, f"SELECT * FROM {table}") for table in ("topic_counts", "topic_results")] == before  # noqa: S608
    assert await rows(database, "SELECT content FROM email_contents") == [("newsletter",)]
    left = {str(email) for (email,) in await rows(database, "SELECT email FROM email_requests")}
    assert {JOHN, "maryjane@example.com"} < left
    [made_up] = left - {JOHN, "maryjane@example.com"}
    assert parse_address(made_up).addr_spec == made_up  # events that still come must be able to read it


async def test_a_copy_of_the_rows_hears_that_the_old_ones_are_gone(database: Database) -> None:
    await add_mail(database, email=JANE, topic="t", results=[("Delivery", JANE)])
    await capture(database)
    async with database.transaction() as connection:
        await connection.execute(f"DELETE FROM {CHANGES}")  # noqa: S608
    await erase(database, JANE)
    changed = await rows(database, f"SELECT key FROM {CHANGES} WHERE name = 'topic_recipients'")  # noqa: S608
    assert (f'["t","Delivery","{JANE}"]',) in changed
    assert len(set(changed)) == 2


async def test_mail_that_waits_is_stopped_and_duplicates_stay_known(database: Database) -> None:
    waiting = await add_mail(database, email=JANE, status=Status.CREATED, content=content("later"))
    unsettled = await add_mail(database, email=JANE, status=Status.PROCESSED)
    sent = await add_mail(database, email=JANE)
    of_john = await add_mail(database, email=JOHN, status=Status.CREATED)
    erased = await erase(database, JANE)
    assert (erased.mails, erased.stopped) == (3, 1)
    states = [await _status(database, uuid) for uuid in (waiting, unsettled, sent, of_john)]
    assert states == [Status.STOPPED, Status.PROCESSED, Status.SENT, Status.CREATED]


async def test_a_content_that_is_still_to_be_sent_is_kept_and_said(database: Database) -> None:
    await add_mail(database, email=JOHN, status=Status.CREATED, content=content(f"ask {JANE}"))
    erased = await erase(database, JANE)
    assert (erased.contents, erased.contents_kept) == (0, 1)
    assert await rows(database, "SELECT count(*) FROM email_requests WHERE content_id IS NOT NULL") == [(1,)]


async def test_the_suppression_list_goes_on_stopping_mail(database: Database) -> None:
    async with database.transaction() as connection:
        for address, removed in ((JANE, None), (JOHN, 5.0)):
            await connection.execute(
                "INSERT INTO suppressions (address, reason, detail, source, created_at, removed_at)"
                " VALUES (?, 'hard bounce', ?, 'event', 0, ?)",
                (address, f"550 {address} unknown", removed),
            )
    assert (await erase(database, JANE)).suppressed
    assert not (await erase(database, JOHN)).suppressed
    assert await rows(database, "SELECT address, reason, detail FROM suppressions") == [(JANE, "hard bounce", "")]


async def test_subjects_go_with_the_mail_and_where_they_name_the_address(database: Database) -> None:
    subjects = {
        "to-her": (JANE, "Your order"),
        "naming-her": (JOHN, f"Re: <{JANE.upper()}>"),
        "in-other-letters": (JOHN, JANE.replace("@", "\uff20")),
        "in-a-link": (JOHN, "?to=jane%40example.com"),
        "in-html": (JOHN, "jane&#64;example.com"),
        "to-others": (JOHN, "m.jane@example.com & more"),
        "without": (JOHN, None),
    }
    async with database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO email_requests (uuid, email, subject, status, finished_at, source, created_at, updated_at)"
            " VALUES (?, ?, ?, 2, 0, 'nats', 0, 0)",
            [(uuid, *values) for uuid, values in subjects.items()],
        )
    await erase(database, JANE)
    left = await rows(database, "SELECT uuid, subject FROM email_requests WHERE subject IS NOT NULL")
    assert left == [("to-others", "m.jane@example.com & more")]


async def test_many_mails_are_erased_in_steps(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO email_requests (uuid, email, status, finished_at, source, created_at, updated_at)"
            " VALUES (?, ?, 2, 0, 'nats', 0, 0)",
            [(f"bulk-{number}", JANE if number % 50 == 0 else JOHN) for number in range(45_000)],
        )
    assert (await erase(database, JANE)).mails == 900
    assert await rows(database, f"SELECT count(*) FROM email_requests WHERE email = '{JANE}'") == [(0,)]  # noqa: S608
