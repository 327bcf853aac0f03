"""Pull requests: who is served, and how each request ends."""

from tests.simulation.conformance.pulls import Delivered, Ended, Puller, S, fill, info, until_waiting, work_queue
from tests.simulation.conformance.site import Run, Site


def test_a_request_ends_with_what_it_did_not_get(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client)
        await puller.ask(batch=5, no_wait=True)
        assert await puller.next() == Ended(1, "404", "No Messages", None)
        await puller.ask(batch=5, expires=S // 10)
        assert await puller.next() == Ended(2, "408", "Request Timeout", "5")
        await fill(client, "s.a", "s.b")
        await puller.ask(batch=5, expires=S // 10)
        assert await puller.take(3) == [
            Delivered("s.a", 1, 1, 1, 1),
            Delivered("s.b", 1, 2, 2, 0),
            Ended(3, "408", "Request Timeout", "3"),
        ]

    run(body)


def test_a_request_that_takes_what_there_is_ends_after_it(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client)
        await fill(client, "s.a", "s.b")
        await puller.ask(batch=5, no_wait=True)
        first = [Delivered("s.a", 1, 1, 1, 1), Delivered("s.b", 1, 2, 2, 0)]
        assert await puller.take(3) == [*first, Ended(1, "404", "No Messages", None)]
        await puller.ask(batch=5, no_wait=True, expires=30 * S)
        await fill(client, "s.c")
        assert (await puller.take(2))[-1] == Ended(2, "404", "No Messages", None)

    run(body)


def test_heartbeats_come_while_there_is_nothing(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a")
        await puller.ask(batch=2, expires=S, idle_heartbeat=S // 5)
        assert await puller.next() == Delivered("s.a", 1, 1, 1, 0)
        beat = await puller.raw()
        assert beat.headers == {
            "Status": "100",
            "Description": "Idle Heartbeat",
            "Nats-Last-Consumer": "1",
            "Nats-Last-Stream": "1",
        }
        assert (beat.data, beat.reply) == (b"", "")
        assert await puller.next() == Ended(1, "100", "Idle Heartbeat", None)
        await puller.ask(batch=2, expires=S // 10, idle_heartbeat=S // 10)
        found = await puller.next()
        while found == Ended(1, "100", "Idle Heartbeat", None):
            found = await puller.next()
        assert found == Ended(2, "400", "Bad Request - heartbeat value too large", None)

    run(body)


def test_requests_are_served_in_turn(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        for _ in range(2):
            await puller.ask(batch=5, expires=S // 2)
        await until_waiting(client, 2)
        await fill(client, "s.a", "s.b", "s.c")
        assert [found.subject for found in await puller.take(3) if isinstance(found, Delivered)] == [
            "s.a",
            "s.b",
            "s.c",
        ]
        left = sorted(await puller.take(2))
        assert left == [Ended(1, "408", "Request Timeout", "3"), Ended(2, "408", "Request Timeout", "4")]

    run(body)


def test_a_request_may_bound_the_bytes(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        for _ in range(3):
            await client.jetstream().publish("s.a", b"1" * 1000)
        await puller.ask(batch=5, expires=S, max_bytes=10)
        ended = await puller.raw()
        assert ended.headers == {
            "Status": "409",
            "Description": "Message Size Exceeds MaxBytes",
            "Nats-Pending-Messages": "5",
            "Nats-Pending-Bytes": "10",
        }
        await puller.ask(batch=5, expires=S, max_bytes=2_500)
        found = await puller.take(3)
        assert [each.sequence for each in found[:2] if isinstance(each, Delivered)] == [1, 2]
        assert found[2] == Ended(2, "409", "Message Size Exceeds MaxBytes", "3")

    run(body)


def test_a_consumer_may_limit_requests(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, max_waiting=1)
        answer = await client.request(
            "$JS.API.CONSUMER.DURABLE.CREATE.s.c",
            b'{"stream_name":"s","config":{"durable_name":"c","ack_policy":"explicit","ack_wait":300000000,"max_waiting":1,'
            b'"max_batch":5,"max_expires":2000000000,"max_bytes":1000}}',
        )
        assert b'"error"' not in answer.data
        await puller.ask(batch=6, expires=S)
        assert await puller.next() == Ended(1, "409", "Exceeded MaxRequestBatch of 5", None)
        await puller.ask(batch=5, expires=3 * S)
        assert await puller.next() == Ended(2, "409", "Exceeded MaxRequestExpires of 2s", None)
        await puller.ask(batch=5, expires=S, max_bytes=2_000)
        assert await puller.next() == Ended(3, "409", "Exceeded MaxRequestMaxBytes of 1000", None)
        await puller.ask(batch=5, expires=S)
        await puller.ask(batch=5, expires=S)
        assert await puller.next() == Ended(5, "409", "Exceeded MaxWaiting", None)

    run(body)


def test_without_the_consumer_nobody_answers(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        puller = await work_queue(client)
        await puller.ask(batch=5, expires=30 * S)
        await until_waiting(client, 1)
        await jetstream.delete_consumer("s", "c")
        assert await puller.next() == Ended(1, "409", "Consumer Deleted", None)
        await puller.ask(batch=5, expires=30 * S)
        nobody = await puller.raw()
        assert (nobody.headers or {})["Status"] == "503"
        assert nobody.data == b""
        await jetstream.delete_stream("s")
        puller = await work_queue(client)
        await puller.ask(batch=5, expires=30 * S)
        await until_waiting(client, 1)
        await jetstream.delete_stream("s")
        assert await puller.next() == Ended(1, "409", "Consumer Deleted", None)

    run(body)


def test_a_request_ends_with_its_client(run: Run) -> None:
    async def body(site: Site) -> None:
        client, other = await site.connect(), await site.connect()
        await work_queue(client)
        puller = Puller(other, "s", "c")
        await puller.listen()
        await puller.ask(batch=5, expires=30 * S)
        await until_waiting(client, 1)
        await other.close()
        await until_waiting(client, 0)
        await fill(client, "s.a")
        assert (await info(client))["num_ack_pending"] == 0

    run(body)


def test_headers_only_says_how_large_a_message_is(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, headers_only=True)
        await client.jetstream().publish("s.a", b"12345", headers={"Some": "header"})
        await puller.ask(batch=1)
        message = await puller.raw()
        assert message.headers == {"Some": "header", "Nats-Msg-Size": "5"}
        assert message.data == b""

    run(body)


def test_a_paused_consumer_delivers_nothing(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client)
        await fill(client, "s.a")
        await client.request("$JS.API.CONSUMER.PAUSE.s.c", b'{"pause_until":"2090-01-01T00:00:00Z"}')
        paused = (await client.request("$JS.API.CONSUMER.INFO.s.c")).data
        assert b'"paused":true' in paused
        assert b'"pause_until":"2090-01-01T00:00:00Z"' in paused
        await puller.ask(batch=1, expires=S // 2, idle_heartbeat=S // 5)
        beats = [Ended(1, "100", "Idle Heartbeat", None)] * 2
        assert await puller.take(3) == [*beats, Ended(1, "408", "Request Timeout", "1")]
        await client.request("$JS.API.CONSUMER.PAUSE.s.c", b"{}")
        assert b'"paused"' not in (await client.request("$JS.API.CONSUMER.INFO.s.c")).data
        await puller.ask(batch=1, expires=30 * S)
        assert await puller.next() == Delivered("s.a", 1, 1, 1, 0)

    run(body)


def test_a_request_that_waited_through_a_pause_is_served_at_the_next_occasion(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client)
        await fill(client, "s.a")
        await client.request("$JS.API.CONSUMER.PAUSE.s.c", b'{"pause_until":"2090-01-01T00:00:00Z"}')
        await puller.ask(batch=1, expires=30 * S)
        await until_waiting(client, 1)
        await client.request("$JS.API.CONSUMER.PAUSE.s.c", b"{}")
        await fill(client, "s.b")
        assert await puller.next() == Delivered("s.a", 1, 1, 1, 1)

    run(body)
