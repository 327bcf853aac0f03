"""Which texts name an address."""

import json

import pytest

from email_consumer.store.mentions import json_mentions, mentions

ANNA = "anna@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "text",
    [
        "anna@bücher.example",
        "write to Anna@BÜCHER.example.",
        "Anna <anna@xn--bcher-kva.example>, others",
        '"anna"@bücher.example',
        "https://example.com/?to=anna%40xn--bcher-kva.example&x=1",
        "https://example.com/?next=%3Fto%3Danna@bücher.example",
        "<a href='mailto:anna&#64;bücher.example'>",
        "anna@xn--bcher-kva.exampleへ",
        "anna@b\uff55\u0308cher.example",
        "joanna@bücher.example anna@bücher.example",
    ],
)
def test_an_address_is_seen_however_it_is_written(text: str) -> None:
    assert mentions(text, ANNA)
    assert json_mentions(json.dumps({"a": [1, None, {"b": text}]}), ANNA)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "anna",
        "@bücher.example",
        "joanna@bücher.example",
        "jo.anna@bücher.example",
        "jo+anna@bücher.example",
        "jo-anna@bücher.example",
        "anna@bücher.example.com",
        "anna@bücher.examples",
        "anna@old.bücher.example",
        "anna@bucher.example",
        "anna b@bücher.example",
    ],
)
def test_a_part_of_another_address_is_none(text: str | None) -> None:
    assert not mentions(text, ANNA)
    assert not json_mentions(json.dumps([text]), ANNA)


def test_a_local_part_that_needs_its_quotes_is_seen_in_them() -> None:
    assert mentions('to "two words"@example.com', '"two words"@example.com')
    assert json_mentions(json.dumps({"cc": ['"Two Words"@example.com']}), '"two words"@example.com')
    assert not mentions("two words@example.com", '"two words"@example.com')


@pytest.mark.parametrize("document", [None, "", "null", "no JSON", '"\\ud800"', "[" * 2000 + "]" * 2000])
def test_a_document_may_be_anything(document: str | None) -> None:
    assert not json_mentions(document, ANNA)


def test_what_is_no_json_is_read_as_text() -> None:
    assert json_mentions('{"to": anna@bücher.example}', ANNA)
