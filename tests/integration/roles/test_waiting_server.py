"""While a process waits to start, nobody is refused for good."""

import aiohttp

from email_consumer.roles.waiting_server import ServerAddress, WaitingServer
from tests.servers.ports import free_ports


async def test_everything_but_the_health_routes_is_asked_to_come_again() -> None:
    """SNS gives up an event after a 4xx, and mail in doubt would be sent again without it."""
    [port] = free_ports(1)
    server = WaitingServer(ServerAddress(port, "127.0.0.1"))
    async with server.running(), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await server.open("consumer", "another email-consumer holds it")
        for method, path in (
            ("POST", "/v1/events/results"),
            ("POST", "/v1/events/result"),
            ("POST", "/v1/messages"),
            ("GET", "/v1/unsubscribe/token"),
            ("GET", "/v1/events/open?token=x"),
            ("GET", "/metrics"),
            ("GET", "/"),
        ):
            async with session.request(method, path, data=b"{}") as answer:
                error = (await answer.json())["error"]["code"]
                assert (path, answer.status, error, answer.headers["Retry-After"]) == (path, 503, "starting", "5")
        async with session.get("/health") as answer:
            assert answer.status == 200
        async with session.get("/ready") as answer:
            assert (answer.status, (await answer.json())["reasons"]) == (
                503,
                {"consumer": "another email-consumer holds it"},
            )
