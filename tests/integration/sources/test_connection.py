"""Each way to log in, and each way it can fail, against real servers."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import quote

import nkeys  # type: ignore[import-untyped]
import pytest
from structlog.testing import capture_logs

from email_consumer.jetstream.connection import NatsEndpoint, TlsFiles, connect
from email_consumer.jetstream.connection_errors import NatsConnectError
from email_consumer.jetstream.credentials import NatsCredentials
from tests.servers.certificates import TestAuthority
from tests.servers.nats import NatsServer
from tests.servers.nats_identity import Identity, key_pair, public, seed
from tests.servers.ports import free_ports
from tests.waiting import until


async def _round_trip(endpoint: NatsEndpoint) -> None:
    client = await connect(endpoint, patience=10)
    try:
        subscription = await client.subscribe("echo")
        await client.publish("echo", b"hello")
        assert (await subscription.next_msg(5)).data == b"hello"
    finally:
        await client.close()


async def test_user_and_password(tmp_path: Path) -> None:
    async with NatsServer(tmp_path, 'authorization { user: "u", password: "p w" }') as server:
        await _round_trip(NatsEndpoint([server.url], NatsCredentials(user="u", password="p w")))
        with pytest.raises(NatsConnectError, match="refuses our credentials, check NATS_USER") as caught:
            await connect(NatsEndpoint([server.url], NatsCredentials(user="u", password="wrong")))
        assert "wrong" not in str(caught.value)


async def test_credentials_in_the_url_are_used_and_not_shown(tmp_path: Path) -> None:
    async with NatsServer(tmp_path, 'authorization { user: "u", password: "sesame" }') as server:
        await _round_trip(NatsEndpoint([f"nats://u:sesame@127.0.0.1:{server.port}"]))
        with pytest.raises(NatsConnectError) as caught:
            await connect(NatsEndpoint([f"nats://v:sesame@127.0.0.1:{server.port}"]))
        assert f"127.0.0.1:{server.port}" in str(caught.value)
        assert "sesame" not in str(caught.value)


async def test_credentials_in_the_url_are_percent_encoded(tmp_path: Path) -> None:
    odd = "p@ss:w/rd#100%?ä"
    async with NatsServer(tmp_path, f'authorization {{ user: "u@x", password: "{odd}" }}') as server:
        await _round_trip(NatsEndpoint([f"nats://u%40x:{quote(odd, safe='')}@127.0.0.1:{server.port}"]))
        with pytest.raises(NatsConnectError, match="refuses our credentials"):
            await connect(NatsEndpoint([f"nats://u%40x:{quote(odd[:-1], safe='')}@127.0.0.1:{server.port}"]))


async def test_a_token_in_the_url_is_percent_encoded(tmp_path: Path) -> None:
    async with NatsServer(tmp_path, 'authorization { token: "t0k/en=" }') as server:
        await _round_trip(NatsEndpoint([f"nats://t0k%2Fen%3D@127.0.0.1:{server.port}"]))


async def test_each_url_has_a_login_of_its_own(tmp_path: Path) -> None:
    one = NatsServer(tmp_path / "1", 'authorization { user: "a", password: "1%" }')
    two = NatsServer(tmp_path / "2", 'authorization { user: "b", password: "2%" }')
    async with one, two:
        urls = [f"nats://a:1%25@127.0.0.1:{one.port}", f"nats://b:2%25@127.0.0.1:{two.port}"]
        for gone in (one, two):
            await gone.stop()
            await _round_trip(NatsEndpoint(urls))
            await gone.restart()


async def test_servers_that_a_cluster_names_get_the_login_of_the_url(tmp_path: Path) -> None:
    ports = free_ports(2)
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
    one, two = (
        NatsServer(
            tmp_path / str(port),
            'authorization { user: "u", password: "p w" }\n'
            f'server_name: "{port}"\ncluster {{ name: c, listen: "127.0.0.1:{port}", routes: [{routes}] }}',
        )
        for port in ports
    )
    async with one, two:
        client = await connect(NatsEndpoint([f"nats://u:p%20w@127.0.0.1:{one.port}"]))
        await until(lambda: client.discovered_servers)
        await one.kill()
        await until(lambda: client.connected_url and client.connected_url.port == two.port)
        await client.close()


@pytest.mark.parametrize("login", ["", "u:p%20w@"])
async def test_an_ipv6_address(tmp_path: Path, login: str) -> None:
    config = 'authorization { user: "u", password: "p w" }' if login else ""
    async with NatsServer(tmp_path, config, host="::1") as server:
        with capture_logs() as lines:
            await _round_trip(NatsEndpoint([f"nats://{login}[::1]:{server.port}"]))
            await _round_trip(NatsEndpoint([f"{login}[::1]:{server.port}"]))
        assert [line["server"] for line in lines if line["event"] == "nats.connected"] == [f"[::1]:{server.port}"] * 2


async def test_token(tmp_path: Path) -> None:
    async with NatsServer(tmp_path, 'authorization { token: "t0ken" }') as server:
        await _round_trip(NatsEndpoint([server.url], NatsCredentials(token="t0ken")))
        with pytest.raises(NatsConnectError, match="refuses our credentials"):
            await connect(NatsEndpoint([server.url]))


async def test_nkey(tmp_path: Path) -> None:
    pair = key_pair(nkeys.PREFIX_BYTE_USER)
    async with NatsServer(tmp_path, f"authorization {{ users: [ {{ nkey: {public(pair)} }} ] }}") as server:
        await _round_trip(NatsEndpoint([server.url], NatsCredentials(nkey_seed=seed(pair))))
        stranger = key_pair(nkeys.PREFIX_BYTE_USER)
        with pytest.raises(NatsConnectError, match="refuses our credentials"):
            await connect(NatsEndpoint([server.url], NatsCredentials(nkey_seed=seed(stranger))))


async def test_creds_file_of_an_operator_run_server(tmp_path: Path) -> None:
    identity = Identity()
    creds = tmp_path / "user.creds"
    creds.write_text(identity.creds)
    async with NatsServer(tmp_path / "server", identity.config) as server:
        await _round_trip(NatsEndpoint([server.url], NatsCredentials(creds=creds)))
        creds.write_text(Identity().creds)
        with pytest.raises(NatsConnectError, match="refuses our credentials"):
            await connect(NatsEndpoint([server.url], NatsCredentials(creds=creds)))


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (NatsCredentials(nkey_seed="SUNOSEED"), "NATS_NKEY_SEED is not the seed"),
        (NatsCredentials(creds=Path("/nowhere/user.creds")), "NATS_CREDS can't be read"),
        (NatsCredentials(creds=Path(__file__)), "is not a creds file"),
    ],
)
async def test_unusable_credentials_are_named_before_any_connect(credentials: NatsCredentials, words: str) -> None:
    with pytest.raises(NatsConnectError, match=words) as caught:
        await connect(NatsEndpoint(["nats://127.0.0.1:1"], credentials))
    assert "SUNOSEED" not in str(caught.value)


async def test_tls_with_an_own_ca_and_client_certificates(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    cert, key = authority.issue("server")
    config = f'tls {{ cert_file: "{cert}", key_file: "{key}", ca_file: "{authority.ca}", verify: true }}'
    async with NatsServer(tmp_path / "server", config) as server:
        own, own_key = authority.issue("client")
        await _round_trip(NatsEndpoint([server.url], tls=TlsFiles(authority.ca, own, own_key)))
        with pytest.raises(NatsConnectError, match="check NATS_CA, NATS_CERT and NATS_KEY"):
            await connect(NatsEndpoint([server.url], tls=TlsFiles(authority.ca)), patience=5)
        other = TestAuthority(tmp_path, "other")
        with pytest.raises(NatsConnectError, match=r"not trusted, check NATS_CA \("):
            await connect(NatsEndpoint([server.url], tls=TlsFiles(other.ca)))


async def test_no_silent_plain_text_where_tls_is_set(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    async with NatsServer(tmp_path / "server") as server:
        with pytest.raises(NatsConnectError, match="does not ask for TLS"):
            await connect(NatsEndpoint([server.url], tls=TlsFiles(authority.ca)))


async def test_unreadable_tls_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(NatsConnectError, match="NATS_CA, NATS_CERT or NATS_KEY can't be read"):
        await connect(NatsEndpoint(["nats://127.0.0.1:1"], tls=TlsFiles(tmp_path / "none.pem")))


async def test_a_server_that_is_not_there_is_waited_for_and_then_named() -> None:
    with socket.socket() as taken:  # bound but not listening: connecting is refused
        taken.bind(("127.0.0.1", 0))
        url = f"nats://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NatsConnectError, match=r"within 0\.5 s: nothing listens there, check NATS_URL") as caught:
            await connect(NatsEndpoint([url]), patience=0.5)
    assert url in str(caught.value)


async def test_an_unknown_host_is_named() -> None:
    with pytest.raises(NatsConnectError, match="host name is not known"):
        await connect(NatsEndpoint(["nats://nowhere.invalid:4222"]), patience=0.5)


async def test_a_server_that_comes_up_late_is_found(tmp_path: Path) -> None:
    async with NatsServer(tmp_path) as server:
        await server.kill()
        attempt = asyncio.create_task(connect(NatsEndpoint([server.url]), patience=30))
        await server.restart()
        client = await attempt
        assert client.is_connected
        await client.close()
