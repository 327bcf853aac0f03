"""Addresses: what is taken, into which form it is brought, and what is refused."""

from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_consumer.message.address import normal_form, parse_address


def _wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


@pytest.mark.parametrize(
    ("text", "addr_spec"),
    [
        ("a@example.com", "a@example.com"),
        ("A.b+c_d-e@Example.COM", "A.b+c_d-e@example.com"),
        ("no-reply@localhost", "no-reply@localhost"),
        ("o'neill@example.com", "o'neill@example.com"),
        ('"two words"@example.com', '"two words"@example.com'),
        ("a@müller.example", "a@xn--mller-kva.example"),
        ("  a@example.com ", "a@example.com"),
        ("success+label@simulator.amazonses.com", "success+label@simulator.amazonses.com"),
    ],
)
def test_bare_addresses(text: str, addr_spec: str) -> None:
    address = parse_address(text)
    assert (address.display_name, address.addr_spec, str(address)) == ("", addr_spec, addr_spec)


@pytest.mark.parametrize(
    ("text", "display_name", "written"),
    [
        ("Jane Doe <jane@example.com>", "Jane Doe", "Jane Doe <jane@example.com>"),
        ('"Doe, Jane" <jane@example.com>', "Doe, Jane", '"Doe, Jane" <jane@example.com>'),
        (r'"a \"b\" c" <jane@example.com>', 'a "b" c', r'"a \"b\" c" <jane@example.com>'),
        ("<jane@example.com>", "", "jane@example.com"),
    ],
)
def test_named_addresses(text: str, display_name: str, written: str) -> None:
    address = parse_address(text)
    assert address.display_name == display_name
    assert str(address) == written


def test_a_name_beyond_ascii_is_encoded() -> None:
    written = str(parse_address("Jürgen 東京 <j@example.com>"))
    assert written.isascii()
    name, addr_spec = parseaddr(written)
    assert (str(make_header(decode_header(name))), addr_spec) == ("Jürgen 東京", "j@example.com")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody",
        "@example.com",
        "a@",
        "a@@example.com",
        "a b@example.com",
        "a@exa mple.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a@-example.com",
        "a@example",
        "a@example.com, b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "Name\n <a@example.com>",
        "Name <a@example.com> trailing",
        "jürgen@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "b." * 160 + "com",
    ],
)
def test_what_ses_could_not_take_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_address(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "anna@bücher.example",
        "Anna@BÜCHER.example",
        "anna@XN--bcher-kva.example",
        " anna@bücher.example",
        "\u00a0anna@bücher.example\u00a0",
        "Anna B < Anna@bücher.example >",
        '"Anna, B" <anna@bücher.example>',
        "<anna@bücher.example>",
        '"anna"@bücher.example',
        r'"an\na"@bücher.example',
        f"anna@{_wide('b')}ü{_wide('cher')}.example",
        f"{_wide('anna')}@bücher.example",
        f"{_wide('anna@b')}ü{_wide('cher')}。{_wide('example')}",
        "anna@bu\u0308cher.example",
    ],
)
def test_one_address_has_one_normal_form(text: str) -> None:
    assert normal_form(text) == "anna@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ('"Two Words"@Example.com', '"two words"@example.com'),
        ("O'Neill+News@example.com", "o'neill+news@example.com"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
        ("No-Reply@localhost", "no-reply@localhost"),
    ],
)
def test_a_normal_form_keeps_what_distinguishes_mailboxes(text: str, normal: str) -> None:
    assert normal_form(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "jürgen@example.com",
        _wide("anna@"),
        "a@example.com, b@example.com",
        "ﷺ" * 400 + "@x",
        "a@" + "e\u0301" * 300 + ".example",
    ],
)
def test_what_is_no_address_has_no_normal_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        normal_form(text)
    assert not text or text not in str(caught.value)


@given(
    st.one_of(st.text(max_size=80), st.emails(), st.from_regex(r'"[ -~]{1,12}"@[a-zA-Zäß]{2,9}\.de', fullmatch=True))
)
def test_a_normal_form_is_its_own(text: str) -> None:
    try:
        addr_spec = parse_address(text).addr_spec
    except ValueError:
        return
    normal = normal_form(text)
    assert normal == normal_form(normal) == normal_form(addr_spec) == normal_form(addr_spec.upper())
    assert normal.isascii()


@given(st.text(max_size=80))
def test_whatever_is_taken_is_one_line_of_ascii_and_reads_back_as_itself(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert str(address).isascii()
    assert str(address).isprintable()
    assert parse_address(address.addr_spec) == parse_address(str(parse_address(address.addr_spec)))


@given(st.from_regex(r"[a-z+._-]{1,12}@[a-z0-9.-]{1,20}", fullmatch=True))
def test_the_quick_way_decides_as_the_full_check(text: str) -> None:
    # A space in front leads past the shortcut.
    assert _addr_spec(text) == _addr_spec(" " + text)


def _addr_spec(text: str) -> str | None:
    try:
        return parse_address(text).addr_spec
    except ValueError:
        return None
