"""Secrets are rotated under those who sign and read links."""

import pytest

from email_consumer.cluster.shared_state import SharedValue, decode_secrets, encode_secrets
from email_consumer.core.link_secrets import LinkSecrets, new_secret
from email_consumer.suppression.unsubscribe import LinkTarget, Unsubscribe
from email_consumer.tracking.tokens import OpenTokens


def unsubscribe_token(unsubscribe: Unsubscribe) -> str:
    return unsubscribe.link(LinkTarget("jane@example.com")).rpartition("/")[2]


def test_links_of_each_secret_work_while_it_is_kept() -> None:
    secrets = LinkSecrets("first")
    opens, unsubscribe = OpenTokens(secrets), Unsubscribe("https://mail.example.com", secrets)
    links = []
    for kept in (("first",), ("second", "first"), ("third", "second", "first")):
        secrets.replace(kept)
        links.append((opens.sign("u-1"), unsubscribe_token(unsubscribe)))
    assert len(set(links)) == 3
    assert {opens.read(pixel) for pixel, _ in links} == {"u-1"}
    assert {unsubscribe.target(token) for _, token in links} == {LinkTarget("jane@example.com")}
    secrets.replace(("third",))
    assert [opens.read(pixel) for pixel, _ in links] == [None, None, "u-1"]
    assert [unsubscribe.target(token) for _, token in links] == [None, None, LinkTarget("jane@example.com")]


def test_the_newest_one_signs() -> None:
    rotated, alone = LinkSecrets("new", "old"), LinkSecrets("new")
    assert OpenTokens(rotated).sign("u-1") == OpenTokens(alone).sign("u-1")
    one, other = (Unsubscribe("https://mail.example.com", each) for each in (rotated, alone))
    assert one.link(LinkTarget("jane@example.com")) == other.link(LinkTarget("jane@example.com"))


def test_a_link_of_one_kind_is_none_of_the_other() -> None:
    secrets = LinkSecrets("s")
    assert OpenTokens(secrets).read(unsubscribe_token(Unsubscribe("https://mail.example.com", secrets))) is None


def test_no_two_secrets_are_the_same() -> None:
    assert len({new_secret() for _ in range(100)}) == 100


@pytest.mark.parametrize("kept", [("a",), ("b", "a"), ("c", "b", "a")])
def test_workers_of_the_version_before_find_the_newest_one_where_they_look(kept: tuple[str, ...]) -> None:
    fact = encode_secrets(kept)
    assert fact.value == kept[0].encode()
    assert decode_secrets(SharedValue.of(fact.value, {"Nats-Msg-Id": "x", **fact.headers})) == kept


@pytest.mark.parametrize("junk", [b"", b"\xff"])
def test_what_is_no_secret_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - what junk is skipped for
        decode_secrets(SharedValue(junk))
