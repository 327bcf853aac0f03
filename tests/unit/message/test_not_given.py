"""What languages write for a value that is not there means "not given", for every optional field alike."""

import itertools

import msgpack
import pytest

from email_consumer.message.model import EmailMessage, UndecodableError, decode, encode
from tests.unit.message.forms import FORMS, MAIL, read

OPTIONAL = sorted(name for name, info in EmailMessage.model_fields.items() if not info.is_required() and name != "body")
EMPTY: list[object] = [None, "", [], {}]
FORM = pytest.mark.parametrize("form", FORMS)


@FORM
@pytest.mark.parametrize("empty", EMPTY, ids=repr)
@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_value_is_as_none_at_all(name: str, empty: object, form: str) -> None:
    assert read(form, **{name: empty}) == read(form)
    assert encode(read(form, **{name: empty})) == encode(read(form))


@FORM
def test_all_at_once_as_a_struct_of_zero_values_has_it(form: str) -> None:
    for fields in (dict(zip(OPTIONAL, itertools.cycle(EMPTY), strict=False)), dict.fromkeys(OPTIONAL)):
        assert read(form, **fields) == read(form)


@pytest.mark.parametrize("empty", [b"", None], ids=repr)
@pytest.mark.parametrize("name", OPTIONAL)
def test_binary_text_and_keys_too(name: str, empty: object) -> None:
    packed = msgpack.packb({key.encode(): value.encode() for key, value in MAIL.items()} | {name.encode(): empty})
    assert decode(packed) == EmailMessage.model_validate(MAIL)


@FORM
@pytest.mark.parametrize("name", ["cc", "bcc", "reply_to"])
def test_empty_entries_of_a_list_are_none(name: str, form: str) -> None:
    assert getattr(read(form, **{name: ["", "a@example.com", None]}), name) == ("a@example.com",)


@FORM
@pytest.mark.parametrize("name", ["headers", "tags"])
def test_empty_entries_of_a_map_are_none(name: str, form: str) -> None:
    assert getattr(read(form, **{name: {"A": "", "B": "b", "C": None}}), name) == {"B": "b"}


@FORM
def test_of_an_attachment(form: str) -> None:
    file = {"filename": "a", "content": "AA==", "content_type": "", "contentId": None}
    [read_file] = read(form, attachments=[file, None]).attachments
    assert (read_file.content_type, read_file.content_id) == ("application/octet-stream", None)


@FORM
def test_a_spelling_without_a_value_hides_no_other(form: str) -> None:
    assert read(form, topic_id="", planId=7, plan_id=None).topic_id == "7"
    assert read(form, topicId="camel", topic_id="snake").topic_id == "snake"


@FORM
@pytest.mark.parametrize("name", ["uuid", "email"])
def test_what_a_mail_must_have_is_not_made_up(name: str, form: str) -> None:
    for empty in EMPTY:
        with pytest.raises(UndecodableError, match=name):
            read(form, **{name: empty})


@FORM
def test_false_and_zero_are_values(form: str) -> None:
    message = read(form, track_opens=False, topic_id=0, list_unsubscribe=False)
    assert (message.track_opens, message.topic_id, message.list_unsubscribe) == (False, "0", False)


@FORM
def test_an_empty_body_is_a_body_and_no_body_needs_a_text(form: str) -> None:
    assert read(form, body="").model_fields_set >= {"body"}
    nothing: object
    for nothing in (None, [], {}):
        assert "body" not in read(form, body=nothing, text="plain").model_fields_set
        with pytest.raises(UndecodableError, match="body: is missing"):
            read(form, body=nothing)
