"""Stored mail that the stream refuses, or reports as a duplicate: other mail continues."""

from pathlib import Path
from typing import Any

import nats
import orjson
import pytest
from nats.js.api import DiscardPolicy

from email_consumer.core.outcome import Sent
from email_consumer.scheduling.publish_window import PublishWindow
from tests.factories import new_message
from tests.integration.api.harness import ApiHarness, running
from tests.servers.nats import NatsServer
from tests.waiting import until

LOOK = 0.05


async def limit(harness: ApiHarness, **limits: Any) -> None:
    jetstream = harness.client.jetstream()
    config = (await jetstream.stream_info("messages")).config
    await jetstream.update_stream(config.evolve(discard=DiscardPolicy.NEW, **limits))


async def due_now(harness: ApiHarness) -> None:
    """Mail was stored to be due in the far future, while the limits were others: now it is."""
    async with harness.database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET scheduled_at = id")
    harness.scheduler.wake()


async def published(harness: ApiHarness, *emails: str) -> None:
    async def all_noted() -> bool:
        return {email for (email,) in await harness.rows("email", "WHERE published_at IS NOT NULL")} == set(emails)

    await until(all_noted)


async def refused(harness: ApiHarness, named: str) -> bool:
    rows = await harness.rows("status, error", "WHERE email LIKE 'large%'")
    return all(status == 0 and error and "not published" in error and named in error for status, error in rows)


LATER = "2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("limits", "named"), [({"max_msg_size": 2000}, "max_msg_size"), ({"max_bytes": 3000}, "max_bytes")]
)
async def test_a_content_that_the_stream_never_takes_stays_and_the_others_go_on(
    tmp_path: Path, server: NatsServer, limits: dict[str, int], named: str
) -> None:
    large = new_message("large-1@example.com", "large-2@example.com") | {"content": "x" * 5000}
    async with running(tmp_path, server.url, check_interval=LOOK) as harness:
        await harness.post(large, new_message("small@example.com"), scheduled_at=LATER)
        await limit(harness, **limits)
        await due_now(harness)
        await published(harness, "small@example.com")
        await until(lambda: refused(harness, named))
        await harness.scheduler.check()
        assert (await harness.ask("POST", "/v1/messages", {"messages": [large]}))[0] == 413
        await harness.pull(1)
        await limit(harness, max_msg_size=-1, max_bytes=-1)
    async with running(tmp_path, server.url) as harness:  # the next look, or the next start
        await published(harness, "small@example.com", "large-1@example.com", "large-2@example.com")
        assert await harness.rows("error", "WHERE error IS NOT NULL") == []


async def test_a_mail_that_does_not_fit_now_lets_smaller_ones_past(tmp_path: Path, server: NatsServer) -> None:
    middling = new_message("middling@example.com") | {"content": "x" * 5000}
    async with running(tmp_path, server.url, check_interval=LOOK) as harness:
        await harness.client.jetstream().publish("messages.email", bytes(5000))
        await limit(harness, max_bytes=8000)
        await harness.post(middling, new_message("small@example.com"), scheduled_at=LATER)
        await due_now(harness)
        await published(harness, "small@example.com")
        assert await harness.rows("status, error", "WHERE email LIKE 'middling%'") == [(0, None)]
        await harness.client.jetstream().purge_stream("messages", seq=2)
        await published(harness, "small@example.com", "middling@example.com")


async def test_a_full_stream_is_named_in_its_own_words_and_loses_nothing(harness: ApiHarness) -> None:
    await harness.client.jetstream().publish("messages.email", b"x")
    await limit(harness, max_msgs=1)
    await harness.post(new_message("a@example.com", "b@example.com"))

    async def complains() -> bool:
        try:
            await harness.scheduler.check()
        except ConnectionError as error:
            return "maximum messages exceeded" in str(error)
        return False

    await until(complains)
    await limit(harness, max_msgs=-1)
    await published(harness, "a@example.com", "b@example.com")
    await harness.scheduler.check()


async def test_what_a_purge_took_is_stored_again_although_the_stream_remembers_its_name(
    tmp_path: Path, server: NatsServer
) -> None:
    async with running(tmp_path, server.url, check_interval=LOOK) as harness:
        await limit(harness, duplicate_window=3600)
        (uuid,) = (await harness.post(new_message()))["ids"]
        await published(harness, "a@example.com")
        for _ in range(2):  # the second time the new name is known as well
            await harness.client.jetstream().purge_stream("messages")
            await until(lambda: in_stream(harness, 1))
        (message,) = await harness.pull(1)
        assert message.uuid == uuid
        await harness.finish(message, Sent("ses-1"))


async def in_stream(harness: ApiHarness, count: int) -> bool:
    return await harness.in_stream() == count


async def test_what_a_purge_took_is_missed_although_other_mail_waits(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, check_interval=LOOK) as harness:
        await harness.post(new_message("a@example.com"))
        await published(harness, "a@example.com")
        jetstream = harness.client.jetstream()
        await jetstream.publish("messages.email", b"a backlog that never ends")
        await jetstream.purge_stream("messages", seq=2)
        await until(lambda: in_stream(harness, 2))


async def test_a_known_name_whose_message_waits_is_believed(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, schedule=False) as harness:
        await harness.post(new_message("a@example.com", "b@example.com"))
        for _ in range(2):
            due = await harness.due(10)
            assert await harness.queue.publish(due) == [1, 2]
        assert await harness.in_stream() == 2


async def test_a_known_name_whose_message_was_settled_is_not_believed_in_a_stream_that_keeps_it(
    tmp_path: Path, server: NatsServer
) -> None:
    """The mail is still on our hands, so it was settled by mistake; were it not, the ledger would know."""
    await keep_what_is_acknowledged(server)
    async with running(tmp_path, server.url, schedule=False) as harness:
        await harness.post(new_message())
        assert await harness.queue.publish(await harness.due(10)) == [1]
        await harness.pull(1)
        assert await harness.queue.publish(await harness.due(10)) == [2]


async def keep_what_is_acknowledged(server: NatsServer) -> None:
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="messages", subjects=["messages.*"])
    await client.close()


async def test_a_row_that_is_no_message_is_a_dead_letter_and_then_failed(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url) as harness:
        await harness.post(
            new_message("bad@example.com"), new_message("good@example.com", content="other"), scheduled_at=LATER
        )
        async with harness.database.transaction() as connection:
            await connection.execute("UPDATE email_contents SET extra = '{\"cc\": 7}' WHERE id = 1")
        await due_now(harness)
        await until(lambda: in_stream(harness, 1))
        letter = await harness.client.jetstream().get_msg("messages-dead", seq=1)
        assert letter.subject == "messages-dead.undecodable"
        assert orjson.loads(letter.data or b"")["email"] == "bad@example.com"
        ((status, error),) = await harness.rows("status, error", "WHERE email LIKE 'bad%'")
        assert (status, "cc" in error) == (3, True)
        assert +harness.metrics.unsent == {"undecodable": 1}


async def test_an_address_that_no_worker_would_take_is_not_published_again_and_again(
    tmp_path: Path, server: NatsServer
) -> None:
    """As one that an earlier version stored, and that is no address any more."""
    async with running(tmp_path, server.url, check_interval=LOOK) as harness:
        await harness.post(new_message("bad@example.com", "good@example.com"), scheduled_at=LATER)
        async with harness.database.transaction() as connection:
            await connection.execute("UPDATE email_requests SET email = 'bad@example..com' WHERE id = 1")
        await due_now(harness)
        (message,) = await harness.pull(1)
        await harness.finish(message, Sent("ses-1"))
        assert message.email == "good@example.com"

        async def failed() -> bool:
            return await harness.rows() == [(2, 1), (3, 1)]

        await until(failed)
        assert (await harness.client.jetstream().stream_info("messages-dead")).state.messages == 1


async def test_many_contents_that_do_not_fit_hold_nobody_up(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, window=lambda: PublishWindow(10, 2**20), check_interval=LOOK) as harness:
        larger = [new_message(f"large-{number}@example.com", content=f"{number}" + "x" * 5000) for number in range(60)]
        await harness.post(*larger, new_message("small@example.com"), scheduled_at=LATER)
        await limit(harness, max_msg_size=2000)
        await due_now(harness)
        await published(harness, "small@example.com")
