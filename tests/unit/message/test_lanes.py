"""`lane` and `unsubscribe_group`: read from every form, refused where they mean nothing, kept when written again."""

import pytest

from email_consumer.message.lane import Lane
from email_consumer.message.model import UndecodableError, decode, encode, encode_mail
from tests.unit.message.forms import FORMS, read

FORM = pytest.mark.parametrize("form", FORMS)


@FORM
@pytest.mark.parametrize("key", ["unsubscribe_group", "unsubscribeGroup"])
def test_they_are_read_and_written_again(form: str, key: str) -> None:
    message = read(form, lane="transactional", **{key: "news_2030.A-1"})
    assert (message.lane, message.unsubscribe_group) == (Lane.TRANSACTIONAL, "news_2030.A-1")
    assert decode(encode(message)) == message
    stored = encode_mail(message, {"uuid": message.uuid, "email": message.email})
    assert decode(stored).lane is Lane.TRANSACTIONAL


@FORM
@pytest.mark.parametrize(("lane", "bulk"), [("bulk", True), ("Transactional ", False), (None, True), ("", True)])
def test_mail_is_bulk_unless_it_says_otherwise(form: str, lane: object, *, bulk: bool) -> None:
    assert read(form, lane=lane).is_bulk is bulk


@FORM
@pytest.mark.parametrize("lane", ["urgent", 1, True, ["bulk"], "transactional,bulk"])
def test_an_unknown_lane_is_refused(form: str, lane: object) -> None:
    with pytest.raises(UndecodableError, match=r"^lane: "):
        read(form, lane=lane)


@FORM
@pytest.mark.parametrize("group", ["a b", "news/", "ä", "x" * 65, "news\n", 7, ["news"]])
def test_a_group_without_a_plain_name_is_refused(form: str, group: object) -> None:
    with pytest.raises(UndecodableError, match=r"^unsubscribe_group: "):
        read(form, unsubscribe_group=group)


def test_the_lane_is_no_part_of_what_is_sent_and_the_group_is() -> None:
    plain = read("map").fingerprint
    assert read("map", lane="transactional").fingerprint == plain
    assert read("map", unsubscribe_group="news").fingerprint.content != plain.content
