"""What is wrong at NATS, made at a nats-server."""

from pathlib import Path

import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.jetstream.credentials import NatsCredentials
from tests.acceptance.doctor.conftest import Installation
from tests.servers.certificates import TestAuthority
from tests.servers.nats import NatsServer

_MAIL = b'{"uuid": "u-1", "email": "a@example.com", "subject": "s", "body": "b"}'
_LOGIN = "authorization { user: mail, password: secret }"


async def test_a_server_that_is_not_there(installation: Installation) -> None:
    await installation.nats.stop()
    found = await installation.findings()
    assert found["nats.reachable"].severity == "error"
    assert "nothing listens there" in found["nats.reachable"].text
    assert found["nats.jetstream"].severity == "skipped"


async def test_credentials_that_are_refused(installation: Installation, tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "closed", _LOGIN) as server:
        found = await installation.findings(NATS_URL=server.url, NATS_USER="mail", NATS_PASSWORD="wrong")
    assert "NATS_PASSWORD" in found["nats.reachable"].text
    assert "wrong" not in str(found)


async def test_a_certificate_that_is_not_trusted(installation: Installation, tmp_path: Path) -> None:
    certificate, key = TestAuthority(tmp_path).issue("server")
    other = TestAuthority(tmp_path, "other")
    async with NatsServer(tmp_path / "tls", f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}') as server:
        found = await installation.findings(NATS_URL=server.url, NATS_CA=str(other.ca))
    assert "NATS_CA" in found["nats.reachable"].text


async def test_jetstream_that_is_not_enabled(installation: Installation, tmp_path: Path) -> None:
    config = "accounts {\n  MAIL {\n    users: [{ user: mail, password: secret }]\n  }\n}"
    async with NatsServer(tmp_path / "plain", config) as server:
        found = await installation.findings(NATS_URL=server.url, NATS_USER="mail", NATS_PASSWORD="secret")
    assert found["nats.jetstream"].severity == "error"
    assert "not enabled" in found["nats.jetstream"].text
    assert found["queue.stream"].severity == "skipped"


async def test_limits_of_the_account(installation: Installation, tmp_path: Path) -> None:
    limits = "jetstream { max_file: 1000000, max_streams: 2 }"
    config = f"accounts {{\n  MAIL {{\n    {limits}\n    users: [{{ user: mail, password: secret }}]\n  }}\n}}"
    async with NatsServer(tmp_path / "tight", config) as server:
        login = {"NATS_URL": server.url, "NATS_USER": "mail", "NATS_PASSWORD": "secret"}
        found = await installation.findings(**login)
        assert "may have 2 streams" in found["nats.streams"].text
        assert "nats.storage" not in found
        client = await connect(NatsEndpoint([server.url], NatsCredentials("mail", "secret")))
        await client.jetstream().add_stream(name="other", subjects=["other"])
        await client.jetstream().publish("other", b"x" * 850_000)
        await client.close()
        found = await installation.findings(**login)
    assert found["nats.storage"].severity == "warning"


async def test_a_small_max_payload(installation: Installation, tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "small", "max_payload: 65536") as server:
        found = await installation.findings(NATS_URL=server.url)
    assert "65,536 bytes" in found["nats.max_payload"].text


async def test_a_queue_that_was_never_made(installation: Installation) -> None:
    found = await installation.findings(STREAM="fresh", SUBJECT="fresh.email")
    assert found["queue.stream"].severity == "warning"
    found = await installation.findings(CONSUMER="fresh")
    assert list(found) == ["queue.consumer", "queue.transactional"]
    assert {each.severity for each in found.values()} == {"warning"}


async def test_a_stream_without_our_subject(installation: Installation) -> None:
    client = await installation.client()
    await client.jetstream().add_stream(name="mine", subjects=["elsewhere.*"])
    await client.close()
    found = await installation.findings(STREAM="mine", SUBJECT="mine.email")
    assert "SUBJECT 'mine.email' is not among its subjects" in found["queue.stream"].text


async def test_a_stream_that_may_lose_mail(installation: Installation) -> None:
    client = await installation.client()
    await client.jetstream().update_stream(
        (await client.jetstream().stream_info("messages")).config.evolve(max_age=3600.0)
    )
    await client.close()
    found = await installation.findings()
    assert (list(found), found["queue.stream"].severity) == (["queue.stream"], "warning")
    assert "max_age" in found["queue.stream"].text


@pytest.mark.parametrize(
    ("config", "severity", "words"),
    [
        (ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=5.0), "warning", "ack_wait is 5"),
        (ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, backoff=[1.0, 2.0], max_deliver=3), "warning", "backoff"),
        (ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, headers_only=True), "error", "headers only"),
    ],
)
async def test_a_consumer_that_differs(
    installation: Installation, config: ConsumerConfig, severity: str, words: str
) -> None:
    client = await installation.client()
    jetstream = client.jetstream()
    await jetstream.delete_consumer("messages", "email-processor")
    await jetstream.add_consumer(
        "messages", config.evolve(durable_name="email-processor", filter_subject="messages.email")
    )
    found = await installation.findings()
    assert (list(found), found["queue.consumer"].severity) == (["queue.consumer"], severity)
    assert words in found["queue.consumer"].text
    # Looked at only: it is as it was.
    assert (await jetstream.consumer_info("messages", "email-processor")).config.headers_only == config.headers_only
    await client.close()


async def test_mail_that_nobody_takes(installation: Installation) -> None:
    client = await installation.client()
    jetstream = client.jetstream()
    for subject in ("messages.other", "messages.other", "messages.third"):
        await jetstream.publish(subject, b"x")
    found = await installation.findings()
    assert (list(found), found["queue.subjects"].severity) == (["queue.subjects"], "warning")
    assert "3 messages" in found["queue.subjects"].text
    assert "messages.other (2), messages.third (1)" in found["queue.subjects"].text
    await jetstream.purge_stream("messages")
    await jetstream.publish("messages.email", _MAIL)
    found = await installation.findings()
    assert (list(found), found["queue.consumer"].severity) == (["queue.consumer"], "warning")
    assert "1 mail waiting, none is being processed, and no program requests them" in found["queue.consumer"].text
    await client.close()


async def test_what_the_running_program_says_of_itself(installation: Installation) -> None:
    installation.sidecar.reasons = {"stuck": "mail is waiting, and none was settled for 70 s"}
    found = await installation.findings()
    assert (list(found), found["server.ready"].severity) == (["server.ready"], "error")
    assert "mail is waiting, and none was settled for 70 s" in found["server.ready"].text
    assert "queue.stuck" in found["server.ready"].fix
