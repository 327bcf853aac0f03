"""What JetStream loses of the copy is noticed and copied again: while the sidecar runs, and after it was down."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, StreamConfig
from nats.js.errors import ServerError

from email_consumer.jetstream.publisher import Publisher
from email_consumer.replica.rebuild import RebuildError, rebuild
from email_consumer.replica.stream import CopyStream
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.store.database import open_database
from tests.integration.replica.copies import ROWS, Copied, back_up, copied, delete, dump, put_back
from tests.servers.nats import NatsServer
from tests.waiting import PATIENCE, until

Harm = Callable[[Client], Awaitable[None]]
_NO_STORE = 10049
"""JetStream's code for "error creating store for stream"."""


async def deleted(client: Client) -> None:
    await client.jetstream().delete_stream(ROWS)


async def purged(client: Client) -> None:
    await client.jetstream().purge_stream(ROWS)


async def add(client: Client, config: StreamConfig) -> None:
    """A stream that was deleted a moment ago: nats-server 2.11 refuses it while it clears the old one's files away."""

    async def added() -> bool:
        try:
            await client.jetstream().add_stream(config)
        except ServerError as error:
            if error.err_code != _NO_STORE:
                raise
            return False
        return True

    await until(added)


async def made_again(client: Client) -> None:
    config = (await client.jetstream().stream_info(ROWS)).config
    await deleted(client)
    await add(client, config)


async def cut_by_a_limit(client: Client) -> None:
    jetstream = client.jetstream()
    info = await jetstream.stream_info(ROWS)
    await jetstream.update_stream(info.config.evolve(max_bytes=info.state.bytes // 2, discard=DiscardPolicy.OLD))
    await jetstream.update_stream(info.config)


async def end_lost(client: Client) -> None:
    """As after a power cut: a stream of the same beginning, with less in it."""
    jetstream = client.jetstream()
    info = await jetstream.stream_info(ROWS)
    held = [await jetstream.get_msg(ROWS, seq, next=True) for seq in (info.state.first_seq,)]
    config = info.config.evolve(first_seq=held[0].seq)
    await deleted(client)
    await add(client, config)
    for message in held:
        await jetstream.publish(message.subject or "", message.data or b"")


HARMS = [deleted, purged, made_again, cut_by_a_limit, end_lost]
harms = pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)


async def assert_rebuilt(path: Path, client: Client) -> None:
    before = dump(path)
    assert len(before["email_requests"]) >= 40
    delete(path)
    assert (await rebuild(path, client, stream="messages")).missing == []
    assert dump(path) == before


@harms
async def test_while_the_sidecar_is_down(harm: Harm, path: Path, client: Client, publisher: Publisher) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
    await harm(client)
    async with copied(path, publisher, check_interval=3600) as copy:  # the start itself sees it
        await copy.send(60)
        await copy.copy()
    await assert_rebuilt(path, client)


@harms
async def test_while_the_sidecar_runs(harm: Harm, path: Path, client: Client, publisher: Publisher) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
        await harm(client)
        await copy.send(60)
        await copy.copy()
        await assert_rebuilt_elsewhere(copy, client)


async def assert_rebuilt_elsewhere(copy: Copied, client: Client) -> None:
    other = copy.database.path.with_name("rebuilt.db")
    assert (await rebuild(other, client, stream="messages")).missing == []
    assert dump(other) == dump(copy.database.path)


async def test_a_first_copy_purges_nothing(path: Path, client: Client, publisher: Publisher) -> None:
    """A purge up to the first message, where its mark is, empties the stream before nats-server 2.14.6."""
    purges = await client.subscribe(f"$JS.API.STREAM.PURGE.{ROWS}")
    async with copied(path, publisher) as copy:
        await copy.send(1)
        await copy.copy()
        await client.flush()
    assert not purges.pending_msgs
    await client.jetstream().purge_stream(ROWS)
    await purges.next_msg(PATIENCE)


async def test_a_refusal_shows_that_the_stream_was_deleted(path: Path, client: Client, publisher: Publisher) -> None:
    async with copied(path, publisher, check_interval=3600) as copy:
        await copy.mail_of_every_kind()
        async with supervised(Service("copier", copy.copier.run)):
            await deleted(client)
            await copy.send(60)
            await until(lambda: _copied(copy, client))
            await assert_rebuilt_elsewhere(copy, client)


async def _copied(copy: Copied, client: Client) -> bool:
    found = await CopyStream(client.jetstream(), "messages").state()
    return bool(found and found.whole) and not await copy.database.fetch("SELECT 1 FROM replica_changes")


async def test_rows_deleted_one_by_one_are_missed_at_the_start(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
    await client.jetstream().purge_stream(ROWS, subject=f"{ROWS}.email_requests.>")
    async with copied(path, publisher) as copy:
        await copy.copy()
    await assert_rebuilt(path, client)


async def test_a_backup_that_was_put_back_is_copied_as_it_is(path: Path, client: Client, publisher: Publisher) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
    backup = back_up(path)
    async with copied(path, publisher) as copy:
        for number in range(60, 80):
            await copy.send(number)
        await copy.copy()
    put_back(backup, path)
    async with copied(path, publisher) as copy:
        await copy.send(60)
        await copy.copy()
    await assert_rebuilt(path, client)


async def test_what_a_crash_left_uncopied_is_copied_and_nothing_else(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
        await copy.send(60)
    before = (await client.jetstream().stream_info(ROWS)).state.last_seq
    async with copied(path, publisher) as copy:
        await copy.copy()
    assert 0 < (await client.jetstream().stream_info(ROWS)).state.last_seq - before < 20
    await assert_rebuilt(path, client)


async def test_an_unfinished_copy_is_refused_and_goes_on_after_a_restart(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with open_database(path) as database, database.transaction() as connection:
        await connection.executemany("INSERT INTO sent_minutes VALUES (?, 1)", [(n,) for n in range(3000)])
    async with copied(path, publisher) as copy:
        await copy.copier.copy()
    other = path.with_name("other.db")
    with pytest.raises(RebuildError, match=r"not all rows had been copied .* of 3,000 sent_minutes.*--incomplete"):
        await rebuild(other, client, stream="messages")
    assert not list(path.parent.glob("other.db*"))
    sequence = (await client.jetstream().stream_info(ROWS)).state.last_seq
    async with copied(path, publisher) as copy:
        await copy.copy()
    assert (await client.jetstream().stream_info(ROWS)).state.last_seq - sequence < 3000
    await rebuild(other, client, stream="messages")
    assert dump(other) == dump(path)


@pytest.mark.parametrize("harm", [purged, cut_by_a_limit], ids=lambda harm: harm.__name__)
async def test_rebuild_refuses_what_lost_its_beginning_and_names_the_way_out(
    harm: Harm, path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher, check_interval=3600) as copy:
        await copy.mail_of_every_kind()
        await harm(client)
        await copy.send(60)
        await copy.copier.copy()
    delete(path)
    with pytest.raises(RebuildError, match=r"is not complete: its start is missing.*--incomplete"):
        await rebuild(path, client, stream="messages")
    rebuilt = await rebuild(path, client, stream="messages", incomplete=True)
    assert rebuilt.missing
    assert ("u-60",) in [row[1:2] for row in dump(path)["email_requests"]]
    async with copied(path, publisher) as copy:  # no circle: a sidecar starts with it, and its copy is whole
        for number in range(100, 140):
            await copy.send(number)
        await copy.copy()
    await assert_rebuilt(path, client)


async def test_a_file_of_an_unfinished_copy_goes_on_with_it(path: Path, client: Client, publisher: Publisher) -> None:
    async with open_database(path) as database, database.transaction() as connection:
        await connection.executemany("INSERT INTO sent_minutes VALUES (?, 1)", [(n,) for n in range(3000)])
    async with copied(path, publisher) as copy:
        await copy.copier.copy()
    delete(path)
    assert (await rebuild(path, client, stream="messages", incomplete=True)).missing
    async with copied(path, publisher) as copy:
        for number in range(40):
            await copy.send(number)
        await copy.copy()
    await assert_rebuilt(path, client)


async def test_where_there_is_to_be_no_copy_the_old_one_is_deleted(
    path: Path, client: Client, publisher: Publisher
) -> None:
    async with copied(path, publisher) as copy:
        await copy.mail_of_every_kind()
    async with copied(path, publisher) as copy:
        await copy.copier.retire()
        await copy.send(60)
    with pytest.raises(RebuildError, match="no copy of the rows"):
        await rebuild(path.with_name("other.db"), client, stream="messages")
    async with copied(path, publisher) as copy:  # and later on with one again
        await copy.copy()
    await assert_rebuilt(path, client)


async def test_what_a_killed_server_may_have_brought_back_is_deleted_again(
    path: Path, client: Client, publisher: Publisher, server: NatsServer
) -> None:
    """See `RecentDeletions`. It can't be provoked at will, so the row is put back instead."""
    jetstream = client.jetstream()
    async with copied(path, publisher, check_interval=3600) as copy:
        await copy.send(3)
        await copy.copy()
        kept = await jetstream.stream_info(ROWS, subjects_filter=f"{ROWS}.email_requests.>")
        [subject] = kept.state.subjects or {}
        row = await jetstream.get_last_msg(ROWS, subject)
        async with copy.database.transaction() as connection:
            await connection.execute("DELETE FROM email_requests WHERE uuid = 'u-3'")
        await copy.copy()
        await server.kill()
        await server.restart()
        await until(lambda: client.is_connected and client.stats["reconnects"] == 1)
        await jetstream.publish(subject, row.data or b"")
        await copy.copy()
        await assert_rebuilt_elsewhere(copy, client)
        before = (await jetstream.stream_info(ROWS)).state.last_seq
        await copy.copy()
        assert (await jetstream.stream_info(ROWS)).state.last_seq == before  # repeated once
