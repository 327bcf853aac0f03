"""Links that unsubscribe."""

import pytest

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.message.model import EmailMessage, from_value
from email_consumer.ses.request import RequestWriter
from email_consumer.suppression.unsubscribe import LinkTarget, Unsubscribe

UNSUBSCRIBE = Unsubscribe("https://mail.example.com", LinkSecrets("secret"))


def mail(**fields: object) -> EmailMessage:
    return from_value({"uuid": "u", "email": "Jane <Jane@Example.com>", "subject": "s", "body": "b", **fields})


def test_a_link_names_the_address_and_nobody_can_make_one() -> None:
    link = UNSUBSCRIBE.link(LinkTarget("jane@example.com"))
    prefix, token = link.rsplit("/", 1)
    assert prefix == "https://mail.example.com/v1/unsubscribe"
    assert len(link) < 130
    assert UNSUBSCRIBE.target(token) == LinkTarget("jane@example.com")
    assert Unsubscribe("https://mail.example.com", LinkSecrets("another")).target(token) is None


def test_a_link_names_the_group_of_its_mail() -> None:
    composed = UNSUBSCRIBE.compose(mail(list_unsubscribe=True, unsubscribe_group="news.weekly"))
    token = str(composed.list_unsubscribe).strip("<>").rsplit("/", 1)[1]
    assert UNSUBSCRIBE.target(token) == LinkTarget("jane@example.com", "news.weekly")


# Made by the program before groups (commit b51fea7) with the secret "secret".
EARLIER = "ImphbmVAZXhhbXBsZS5jb20i.mPXDHyQhF-OIkLfNmzNb4bC0Hn1kJULctiNqdtmHfcA"


def test_a_link_of_the_version_before_groups_means_all_bulk_mail() -> None:
    assert UNSUBSCRIBE.target(EARLIER) == LinkTarget("jane@example.com")
    assert UNSUBSCRIBE.link(LinkTarget("jane@example.com")).endswith(EARLIER), "without a group nothing has changed"


def test_the_placeholder_becomes_the_link_in_html_and_text() -> None:
    message = mail(
        body='<a href="{{unsubscribe_url}}">leave</a> {{ unsubscribe_url }} {{name}}',
        text="leave: {{unsubscribe_url}}",
        unsubscribe_group="news",
    )
    composed, link = UNSUBSCRIBE.compose(message), UNSUBSCRIBE.link(LinkTarget("jane@example.com", "news"))
    assert composed.body == f'<a href="{link}">leave</a> {link} {{{{name}}}}'
    assert composed.text == f"leave: {link}"
    assert composed.list_unsubscribe is None, "the header is there only if it was asked for"


@pytest.mark.parametrize("token", ["", "x", "eyJ4IjoxfQ.abc", "é" * 10, "." * 500])
def test_what_is_no_token_names_nobody(token: str) -> None:
    assert UNSUBSCRIBE.target(token) is None


def test_true_becomes_the_link_and_with_https_the_one_click_header() -> None:
    composed = UNSUBSCRIBE.compose(mail(list_unsubscribe=True))
    assert composed.list_unsubscribe == f"<{UNSUBSCRIBE.link(LinkTarget('jane@example.com'))}>"
    writer = RequestWriter(from_email="a@b.example", configuration_set=None, instance="i")
    headers = writer.parameters(composed)["Content"]["Simple"]["Headers"]
    names = {header["Name"]: header["Value"] for header in headers}
    assert names["List-Unsubscribe"] == composed.list_unsubscribe
    assert names["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize("given", [None, False, "<https://other.example/u>"])
def test_any_other_mail_stays_as_it_is(given: object) -> None:
    message = mail(list_unsubscribe=given)
    assert UNSUBSCRIBE.compose(message) is message
