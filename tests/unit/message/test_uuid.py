import msgpack
import pytest

from email_consumer.message.model import UndecodableError, decode


def payload(uuid: str) -> bytes:
    packed: bytes = msgpack.packb([uuid, "you@example.com", "Hello", "<p>Hi</p>"])
    return packed


@pytest.mark.parametrize("uuid", ["a", "order 4711/é\n", "x" * 256])
def test_any_text_is_a_uuid(uuid: str) -> None:
    assert decode(payload(uuid)).uuid == uuid


@pytest.mark.parametrize("uuid", ["", "x" * 257, "a\0b"])
def test_what_could_not_be_distinguished_is_no_uuid(uuid: str) -> None:
    with pytest.raises(UndecodableError, match=r"^uuid: "):
        decode(payload(uuid))
