"""Mail of our own keeping that the stream doesn't take, or says to have taken already: all else goes on."""

from pathlib import Path
from typing import Any

import nats
import orjson
import pytest
from nats.js.api import DiscardPolicy

from email_consumer.core.outcome import Sent
from email_consumer.scheduling.publish_window import Window
from tests.integration.api.stage import Stage, mail, running
from tests.servers.nats import NatsServer
from tests.waiting import until

LOOK = 0.05


async def limit(stage: Stage, **limits: Any) -> None:
    jetstream = stage.client.jetstream()
    config = (await jetstream.stream_info("messages")).config
    await jetstream.update_stream(config.evolve(discard=DiscardPolicy.NEW, **limits))


async def due_now(stage: Stage) -> None:
    """Mail was stored to be due in the far future, while the limits were others: now it is."""
    async with stage.database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET scheduled_at = id")
    stage.scheduler.wake()


async def published(stage: Stage, *emails: str) -> None:
    async def all_noted() -> bool:
        return {email for (email,) in await stage.rows("email", "WHERE published_at IS NOT NULL")} == set(emails)

    await until(all_noted)


async def refused(stage: Stage, named: str) -> bool:
    rows = await stage.rows("status, error", "WHERE email LIKE 'large%'")
    return all(status == 0 and error and "not published" in error and named in error for status, error in rows)


LATER = "2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("limits", "named"), [({"max_msg_size": 2000}, "max_msg_size"), ({"max_bytes": 3000}, "max_bytes")]
)
async def test_a_content_that_the_stream_never_takes_stays_and_the_others_go_on(
    tmp_path: Path, server: NatsServer, limits: dict[str, int], named: str
) -> None:
    large = mail("large-1@example.com", "large-2@example.com") | {"content": "x" * 5000}
    async with running(tmp_path, server.url, look_every=LOOK) as stage:
        await stage.post(large, mail("small@example.com"), scheduled_at=LATER)
        await limit(stage, **limits)
        await due_now(stage)
        await published(stage, "small@example.com")
        await until(lambda: refused(stage, named))
        await stage.scheduler.check()
        assert (await stage.ask("POST", "/v1/messages", {"messages": [large]}))[0] == 413
        await stage.pull(1)
        await limit(stage, max_msg_size=-1, max_bytes=-1)
    async with running(tmp_path, server.url) as stage:  # the next look, or the next start
        await published(stage, "small@example.com", "large-1@example.com", "large-2@example.com")
        assert await stage.rows("error", "WHERE error IS NOT NULL") == []


async def test_a_mail_that_does_not_fit_now_lets_smaller_ones_past(tmp_path: Path, server: NatsServer) -> None:
    middling = mail("middling@example.com") | {"content": "x" * 5000}
    async with running(tmp_path, server.url, look_every=LOOK) as stage:
        await stage.client.jetstream().publish("messages.email", bytes(5000))
        await limit(stage, max_bytes=8000)
        await stage.post(middling, mail("small@example.com"), scheduled_at=LATER)
        await due_now(stage)
        await published(stage, "small@example.com")
        assert await stage.rows("status, error", "WHERE email LIKE 'middling%'") == [(0, None)]
        await stage.client.jetstream().purge_stream("messages", seq=2)
        await published(stage, "small@example.com", "middling@example.com")


async def test_a_full_stream_is_named_in_its_own_words_and_loses_nothing(stage: Stage) -> None:
    await stage.client.jetstream().publish("messages.email", b"x")
    await limit(stage, max_msgs=1)
    await stage.post(mail("a@example.com", "b@example.com"))

    async def complains() -> bool:
        try:
            await stage.scheduler.check()
        except ConnectionError as error:
            return "maximum messages exceeded" in str(error)
        return False

    await until(complains)
    await limit(stage, max_msgs=-1)
    await published(stage, "a@example.com", "b@example.com")
    await stage.scheduler.check()


async def test_what_a_purge_took_is_stored_again_although_the_stream_remembers_its_name(
    tmp_path: Path, server: NatsServer
) -> None:
    async with running(tmp_path, server.url, look_every=LOOK) as stage:
        await limit(stage, duplicate_window=3600)
        (uuid,) = (await stage.post(mail()))["ids"]
        await published(stage, "a@example.com")
        for _ in range(2):  # the second time the new name is known as well
            await stage.client.jetstream().purge_stream("messages")
            await until(lambda: in_stream(stage, 1))
        (message,) = await stage.pull(1)
        assert message.uuid == uuid
        await stage.finish(message, Sent("ses-1"))


async def in_stream(stage: Stage, count: int) -> bool:
    return await stage.in_stream() == count


async def test_what_a_purge_took_is_missed_although_other_mail_waits(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, look_every=LOOK) as stage:
        await stage.post(mail("a@example.com"))
        await published(stage, "a@example.com")
        jetstream = stage.client.jetstream()
        await jetstream.publish("messages.email", b"a backlog that never ends")
        await jetstream.purge_stream("messages", seq=2)
        await until(lambda: in_stream(stage, 2))


async def test_a_known_name_whose_message_waits_is_believed(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, schedule=False) as stage:
        await stage.post(mail("a@example.com", "b@example.com"))
        for _ in range(2):
            due = await stage.due(10)
            assert await stage.queue.publish(due) == [1, 2]
        assert await stage.in_stream() == 2


async def test_a_known_name_whose_message_was_settled_is_not_believed_in_a_stream_that_keeps_it(
    tmp_path: Path, server: NatsServer
) -> None:
    """The mail is still on our hands, so it was settled by mistake; were it not, the ledger would know."""
    await keep_what_is_acknowledged(server)
    async with running(tmp_path, server.url, schedule=False) as stage:
        await stage.post(mail())
        assert await stage.queue.publish(await stage.due(10)) == [1]
        await stage.pull(1)
        assert await stage.queue.publish(await stage.due(10)) == [2]


async def keep_what_is_acknowledged(server: NatsServer) -> None:
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="messages", subjects=["messages.*"])
    await client.close()


async def test_a_row_that_is_no_message_is_a_dead_letter_and_then_failed(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url) as stage:
        await stage.post(mail("bad@example.com"), mail("good@example.com", content="other"), scheduled_at=LATER)
        async with stage.database.transaction() as connection:
            await connection.execute("UPDATE email_contents SET extra = '{\"cc\": 7}' WHERE id = 1")
        await due_now(stage)
        await until(lambda: in_stream(stage, 1))
        letter = await stage.client.jetstream().get_msg("messages-dead", seq=1)
        assert letter.subject == "messages-dead.undecodable"
        assert orjson.loads(letter.data or b"")["email"] == "bad@example.com"
        ((status, error),) = await stage.rows("status, error", "WHERE email LIKE 'bad%'")
        assert (status, "cc" in error) == (3, True)
        assert +stage.metrics.unsent == {"undecodable": 1}


async def test_an_address_that_no_worker_would_take_is_not_published_again_and_again(
    tmp_path: Path, server: NatsServer
) -> None:
    """As one that an earlier version stored, and that is no address any more."""
    async with running(tmp_path, server.url, look_every=LOOK) as stage:
        await stage.post(mail("bad@example.com", "good@example.com"), scheduled_at=LATER)
        async with stage.database.transaction() as connection:
            await connection.execute("UPDATE email_requests SET email = 'bad@example..com' WHERE id = 1")
        await due_now(stage)
        (message,) = await stage.pull(1)
        await stage.finish(message, Sent("ses-1"))
        assert message.email == "good@example.com"

        async def failed() -> bool:
            return await stage.rows() == [(2, 1), (3, 1)]

        await until(failed)
        assert (await stage.client.jetstream().stream_info("messages-dead")).state.messages == 1


async def test_many_contents_that_do_not_fit_hold_nobody_up(tmp_path: Path, server: NatsServer) -> None:
    async with running(tmp_path, server.url, window=Window(10, 2**20), look_every=LOOK) as stage:
        larger = [mail(f"large-{number}@example.com", content=f"{number}" + "x" * 5000) for number in range(60)]
        await stage.post(*larger, mail("small@example.com"), scheduled_at=LATER)
        await limit(stage, max_msg_size=2000)
        await due_now(stage)
        await published(stage, "small@example.com")
