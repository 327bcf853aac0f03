"""The unsubscribe page's languages: complete, and chosen as the browser asks."""

import string

import pytest

from email_consumer.suppression.languages import DEFAULT, languages, preferred
from email_consumer.suppression.unsubscribe import LinkTarget
from email_consumer.suppression.unsubscribe_page import Sender, UnsubscribePage, text_color

TARGET = LinkTarget("jane@example.com", "news")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_languages_that_were_promised_are_there() -> None:
    assert {"en", "de", "fr", "es", "pt", "ja", "ko"} <= languages().keys()


@pytest.mark.parametrize("language", languages())
def test_each_has_every_text_of_english_with_the_same_names_filled_in(language: str) -> None:
    english, texts = languages()[DEFAULT], languages()[language]
    assert {name: fields(text) for name, text in texts.items()} == {
        name: fields(text) for name, text in english.items()
    }
    assert all(text.strip() == text != "" for text in texts.values())
    assert language == DEFAULT or not set(texts.values()) & set(english.values()), "not translated"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("it-IT, it;q=0.9, fr;q=0.5, en;q=0.4", "fr"),
        ("en;q=0.1,JA;q=0.7", "ja"),
        ("pt-BR,pt;q=0.9", "pt"),
        ("*", "en"),
        ("tlh, *;q=0.5", "en"),
        ("de;q=0, ko", "ko"),
        ("de;q=x, es;q=0.3", "es"),
        (";;,=,q=1," * 1_000 + "de", "en"),
        ("../../etc/passwd", "en"),
    ],
)
def test_the_best_language_of_a_browser(header: str, language: str) -> None:
    assert preferred(header) == language


@pytest.mark.parametrize("language", languages())
def test_whatever_a_name_contains_it_is_text(language: str) -> None:
    page = UnsubscribePage(Sender("<b>Evil</b> & {group} Co"))
    target = LinkTarget('"<script>alert(1)</script>"@example.com', "news")
    pages = [page.ask(language, target), page.done(language, target, everything=False), page.unknown(language)]
    for html in pages:
        assert "<script>" not in html
        assert "<b>" not in html
        assert "&lt;b&gt;Evil&lt;/b&gt; &amp; {group} Co" in html
        assert f'lang="{language}"' in html


def test_the_page_says_who_what_and_both_choices() -> None:
    asked = UnsubscribePage(Sender("Example")).ask("en", TARGET)
    for text in ("Example", "jane@example.com", "news", 'name="choice" value="group"', 'name="choice" value="all"'):
        assert text in asked
    assert 'value="group"' not in UnsubscribePage(Sender("Example")).ask("en", LinkTarget("jane@example.com"))


@pytest.mark.parametrize(
    ("background", "text"),
    [
        ("#000000", "#ffffff"),
        ("#ffffff", "#000000"),
        ("#0b57d0", "#ffffff"),
        ("#ffd400", "#000000"),
        ("#777777", "#000000"),
    ],
)
def test_text_on_the_operators_colour_can_be_read(background: str, text: str) -> None:
    assert text_color(background) == text
