"""The test server itself: others rely on its kill and restart."""

from pathlib import Path

import nats

from tests.servers.nats import NatsServer


async def test_a_killed_server_comes_back_on_its_port_with_what_was_stored(tmp_path: Path) -> None:
    async with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        jetstream = client.jetstream()
        await jetstream.add_stream(name="s", subjects=["s.*"])
        await jetstream.publish("s.a", b"kept")
        await client.close()
        url = server.url

        await server.kill()
        await server.restart()

        assert server.url == url
        client = await nats.connect(server.url)
        assert (await client.jetstream().get_msg("s", 1)).data == b"kept"
        await client.close()
