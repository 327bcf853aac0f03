"""Keys that are not ours: nearly ours, agreed upon but not built, or simply unknown."""

import msgpack
import pytest

from email_consumer.message.keys import Reading, one_edit_away
from email_consumer.message.model import EmailMessage, UndecodableError, decode
from tests.unit.message.forms import FORMS, MAIL, read

FORM = pytest.mark.parametrize("form", FORMS)


@FORM
@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("schedule_at", "scheduled_at"),
        ("scheduleAt", "scheduled_at"),
        ("Scheduled_At", "scheduled_at"),
        ("scheduled_ta", "scheduled_at"),
        ("scheduledat", "scheduled_at"),
        ("SCHEDULED_AT", "scheduled_at"),
        ("scheduled-at", "scheduled_at"),
        ("scheduled at", "scheduled_at"),
        ("schéduled_at", "scheduled_at"),
        ("expire_at", "expires_at"),
        ("expiresAd", "expires_at"),
        ("send_windows", "send_window"),
        ("sendwindow", "send_window"),
        ("CC", "cc"),
        ("ccs", "cc"),
        ("Bcc", "bcc"),
        ("bbc", "bcc"),
        ("bccc", "bcc"),
        ("lanes", "lane"),
        ("Lane", "lane"),
        ("unsubscribe_groups", "unsubscribe_group"),
        ("unsubscribegroup", "unsubscribe_group"),
        ("topicid", "topic_id"),
        ("topic_ids", "topic_id"),
        ("tpoic_id", "topic_id"),
        ("PlanID", "plan_id"),
    ],
)
def test_a_near_miss_of_a_decisive_key_is_refused(key: str, meant: str, form: str) -> None:
    with pytest.raises(UndecodableError, match=f"^{key!r} is no key of a message; did you mean {meant!r}"):
        read(form, **{key: "bulk"})


@FORM
def test_not_where_the_right_key_is_there(form: str) -> None:
    assert read(form, schedule_at="soon", scheduled_at="2030-01-01T00:00:00Z", ccs="x", cc="c@example.com").cc
    assert read(form, topicID="x", planId="p").topic_id == "p"
    assert read(form, Bcc="x", bcc="b@example.com").bcc == ("b@example.com",)


@FORM
@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_but_where_the_right_key_has_no_value_it_is(empty: object, form: str) -> None:
    with pytest.raises(UndecodableError, match="did you mean 'scheduled_at'"):
        read(form, schedule_at="2030-01-01T00:00:00Z", scheduled_at=empty)
    assert read(form, schedule_at=empty) == read(form)


@FORM
@pytest.mark.parametrize(
    "key", ["sent_at", "subjekt", "tag", "content", "id", "Topic", "schedule", "html", "to", "lang", "line"]
)
def test_any_other_key_is_ignored_and_noticed(key: str, form: str) -> None:
    reading = Reading()
    assert decode(FORMS[form](MAIL | {key: "x"}), reading) == read(form)
    assert reading.unknown == {key}


def test_keys_of_an_attachment_are_noticed_too() -> None:
    reading = Reading()
    decode(FORMS["json"](MAIL | {"attachments": [{"filename": "a", "content": "", "mime": "x"}]}), reading)
    assert reading.unknown == {"mime"}


def test_strange_keys_are_unknown_and_cost_little() -> None:
    strange = {7: 1, None: 2, True: 3, b"\xff\xfe": 4, 1.5: 5, "x" * 100_000: 6}
    reading = Reading()
    decode(msgpack.packb(MAIL | strange | {f"key {n}": n for n in range(1_000)}), reading)
    assert len(reading.unknown) == 20
    assert max(map(len, reading.unknown)) <= 64


def test_one_edit_away_is_what_it_says() -> None:
    assert {"cc", "c", "ccc", "xc", "cx", "c9c", "c?"} <= one_edit_away("cc")
    assert {"lnae", "alne", "laen", "lan", "lane", "lanes", "plane", "line"} <= one_edit_away("lane")
    assert not {"bccs", "bbccc", "a", "", "xx"} & one_edit_away("cc")
    assert not {"elna", "lans?", "enal", "la"} & one_edit_away("lane")


def test_no_key_of_ours_is_a_near_miss_of_another() -> None:
    for name in EmailMessage.model_fields:
        decode(FORMS["map"](MAIL | {name: MAIL.get(name)}))
