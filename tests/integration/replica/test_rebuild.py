"""The tables, deleted and made again from JetStream."""

from pathlib import Path

import msgpack
import pytest
from nats.aio.client import Client

from email_consumer.core.outcome import Failed
from email_consumer.jetstream.connection import NatsEndpoint, close, connect
from email_consumer.jetstream.publisher import Publisher
from email_consumer.replica.copier import OtherCopyError
from email_consumer.replica.rebuild import RebuildError, rebuild
from email_consumer.replica.row_reader import RowReader
from email_consumer.replica.stream import CopyMark, CopyStream
from email_consumer.store.database import newest_version
from tests.factories import ORIGIN
from tests.integration.replica.copies import copied, delete, dump, numbered
from tests.servers.nats import NatsServer
from tests.servers.raw_publisher import RawPublisher


async def test_the_rebuilt_tables_equal_the_deleted_ones(path: Path, client: Client, publisher: Publisher) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
    before = dump(path)
    assert len(before["email_requests"]) == 40
    delete(path)
    path.with_name("email.db.rebuilding").write_text("cut off")
    rebuilt = await rebuild(path, client, stream="messages")
    assert [file.name for file in path.parent.glob("email.db*")] == ["email.db"]
    assert dump(path) == before
    assert (rebuilt.rows, rebuilt.skipped, rebuilt.missing) == (sum(map(len, before.values())), 0, [])


async def test_rows_that_were_there_before_the_copy_was_begun_are_in_it(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        async with copy.database.transaction() as connection:
            await connection.executemany("INSERT INTO sent_minutes VALUES (?, 1)", [(n,) for n in range(3000)])
            await connection.executemany(
                "INSERT INTO topic_recipients VALUES ('t', ?, ?)",
                [(kind, f"{n}@example.com") for kind in ("Delivery", "Open") for n in range(2100)],
            )
        await copy.copier.copy()  # some of all
        await copy.mail_of_every_kind()
    before = dump(path)
    delete(path)
    await rebuild(path, client, stream="messages")
    assert dump(path) == before


async def test_a_mail_may_have_changed_long_after_its_first_attempt(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        await copy.ledger.claim(numbered(1), ORIGIN)
        await copy.ledger.finish(numbered(1), Failed("503"), ORIGIN)
        async with copy.database.transaction() as connection:
            await connection.executemany("INSERT INTO sent_minutes VALUES (?, 1)", [(n,) for n in range(2100)])
        await copy.copy()
        await copy.send(1)
        await copy.copy()
    before = dump(path)
    delete(path)
    await rebuild(path, client, stream="messages")
    assert dump(path) == before


async def test_a_rebuilt_file_goes_on_counting_and_its_copy_goes_on(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
    delete(path)
    await rebuild(path, client, stream="messages")
    async with copied(path, publisher) as copy:
        [before] = await copy.database.fetch("SELECT count FROM topic_counts WHERE status = 2")
        await copy.send(60)
        [after] = await copy.database.fetch("SELECT count FROM topic_counts WHERE status = 2")
        sequence = (await client.jetstream().stream_info("messages-rows")).state.last_seq
        await copy.copy()
        copied_again = (await client.jetstream().stream_info("messages-rows")).state.last_seq - sequence
    assert after["count"] == before["count"] + 1
    assert copied_again < 10
    before_deletion = dump(path)
    delete(path)
    await rebuild(path, client, stream="messages")
    assert dump(path) == before_deletion


async def test_a_row_that_is_larger_than_a_message_comes_back_too(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        for number, body in enumerate(["small", "x" * (2 * client.max_payload + 1), "y" * client.max_payload]):
            await copy.ledger.schedule(numbered(number, body=body, scheduled_at="2099-01-01T00:00:00Z"), ORIGIN)
        await copy.copy()
        async with copy.database.transaction() as connection:
            await connection.execute("DELETE FROM email_requests WHERE uuid = 'u-2'")
            await connection.execute("DELETE FROM email_contents WHERE content LIKE 'y%'")
        await copy.copy()
    before = dump(path)
    parts = await client.jetstream().stream_info("messages-rows", subjects_filter="messages-rows.email_contents.*.*")
    assert len(parts.state.subjects or {}) == 2  # the deleted row's are gone
    delete(path)
    await rebuild(path, client, stream="messages")
    assert dump(path) == before


async def test_a_stream_that_takes_short_messages_gets_short_parts(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
        info = await client.jetstream().stream_info("messages-rows")
        await client.jetstream().update_stream(info.config.evolve(max_msg_size=1000))
        await copy.ledger.schedule(numbered(60, body="x" * 5000, scheduled_at="2099-01-01T00:00:00Z"), ORIGIN)
        await copy.copy()
    before = dump(path)
    delete(path)
    await rebuild(path, client, stream="messages")
    assert dump(path) == before


async def test_a_file_that_is_there_is_never_overwritten(path: Path, client: Client, publisher: Publisher) -> None:
    async with copied(path, publisher) as copy:
        await copy.copy()
    with pytest.raises(RebuildError, match="already exists"):
        await rebuild(path, client, stream="messages")


async def test_without_a_copy_it_says_so(path: Path, client: Client) -> None:
    with pytest.raises(RebuildError, match="JetStream holds no copy"):
        await rebuild(path, client, stream="messages")


async def test_a_new_file_does_not_mix_with_an_earlier_ones_copy(path: Path, publisher: Publisher) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
    async with copied(path, publisher) as copy:  # the same file again
        await copy.send(60)
    other = path.with_name("other.db")
    with pytest.raises(OtherCopyError, match="run `email-consumer rebuild`"):
        async with copied(other, publisher):
            pass


async def test_what_is_no_row_is_left_out_and_said(
    server: NatsServer, path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
    before = dump(path)
    delete(path)
    [version] = {row.version async for row in RowReader(client, CopyStream(client.jetstream(), "messages")).rows()}
    row = {"name": "evil", "value": "1"}
    junk: list[tuple[str, bytes]] = [
        ("facts.1", b"\xc1 nonsense"),
        ("facts.2", b"[" * 100_000),
        ("facts.3", b"\x91" * 100_000),
        ("facts.4", msgpack.packb([version, "a row"])),
        ("facts.5", msgpack.packb([version, row, 3])),
        ("facts.6", msgpack.packb([version, row | {"value) VALUES ('x', 'y'); --": 1}])),
        ("facts.7", msgpack.packb([version, {b"name": "evil", "value": "1"}])),
        ("facts.8", msgpack.packb([version, row | {"value": ["1"]}])),
        ("facts.9", msgpack.packb([version, {"name": "evil", "value": None}])),
        ("facts.10", msgpack.packb([version, {}])),
        ("facts(name) VALUES(1); --.1", msgpack.packb([version, row])),
        ("replica_progress.1", msgpack.packb([version, {"id": 1, "generation": "x"}])),
        ("sqlite_master.1", msgpack.packb([version, {"name": "x"}])),
        (
            "suppressions.1",
            msgpack.packb(
                [version, {"address": "\ud800", "reason": "r", "source": "s", "created_at": 1}],
                unicode_errors="surrogatepass",
            ),
        ),
        ("sent_minutes.1", msgpack.packb([version, {"minute": 2**64 - 1, "count": 1}])),
        ("facts.1.2.3", msgpack.packb([version, row])),
        ("facts", msgpack.packb([version, row])),
        ("-.other", b"x"),
    ]
    for subject, payload in junk:
        await client.publish(f"messages-rows.{subject.replace(' ', '_')}", payload)
    await client.publish("messages-rows.facts.11", msgpack.packb([version, row]), headers={"Email-Parts": "many"})
    await client.publish("messages-rows.facts.12", msgpack.packb([version, row]), headers={"Email-Parts": "1000000000"})
    async with RawPublisher(server.url) as raw:
        await raw.publish(b"messages-rows.facts.13", b"x", b"XATS/1.0 \xff\xff\xff \xfe\r\n\r\n")
        await raw.publish(b"messages-rows.\xff.1", b"x")
        await raw.publish(b"messages-rows.facts.14", b"", b"XATS/1.0 100 Idle Heartbeat\r\n\r\n")
    await client.flush()
    steady = await connect(NatsEndpoint([server.url]))
    rebuilt = await rebuild(path, steady, stream="messages")
    await close(steady)
    assert dump(path) == before
    assert rebuilt.skipped == len(junk) + 4


async def test_a_newer_programs_copy_is_refused_in_one_line(path: Path, client: Client, publisher: Publisher) -> None:
    async with copied(path, publisher) as copy:
        await copy.copy()
    delete(path)
    stream = CopyStream(client.jetstream(), "messages")
    mark = CopyMark("g", newest_version() + 1, "l", {})
    await client.jetstream().publish(stream.mark_subject, mark.encode())
    with pytest.raises(
        RebuildError, match=r"^the copy is from a newer email-consumer \(version \d+\); upgrade this one$"
    ):
        await rebuild(path, client, stream="messages")
    assert not list(path.parent.glob("email.db*"))
