"""What is published at once is what nats-py would have written; what needs more care is left to it."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from email_consumer.jetstream.client import SteadyClient


class _Client(SteadyClient):
    """Keeps what nats-py writes."""

    async def _send_command(self, cmd: bytes, priority: bool = False) -> None:  # noqa: ARG002
        self.written = bytes(cmd)

    def nats_py(self, subject: str, payload: bytes, reply: str, headers: dict[str, str]) -> bytes:
        asyncio.run(self._send_publish(subject, reply, payload, len(payload), headers or None))
        return self.written


def _words(command: bytes) -> tuple[list[bytes], bytes]:
    """Of the first line, in which nats-py has two spaces where there is no reply subject; and what follows."""
    line, _, rest = command.partition(b"\r\n")
    return line.split(), rest


SUBJECTS = st.text("abc.-_$", min_size=1, max_size=20)
NAMES = st.text("Nats-Msg_Id9", min_size=1, max_size=12)
VALUES = st.text("az09-:. é\r\n\t", max_size=12) | st.just("42")


@given(SUBJECTS, st.binary(max_size=40), st.just("") | SUBJECTS, st.dictionaries(NAMES, VALUES, max_size=3))
def test_is_what_nats_py_writes(subject: str, payload: bytes, reply: str, headers: dict[str, str]) -> None:
    client = _Client()
    command = client._command(subject, payload, reply, headers)
    assert command is None or _words(command) == _words(client.nats_py(subject, payload, reply, headers))
    if all(value.isascii() and value.isprintable() and value.strip() == value != "" for value in headers.values()):
        assert command is not None


def test_nothing_is_published_at_once_without_a_connection() -> None:
    assert not SteadyClient().publish_at_once("subject", b"payload")
