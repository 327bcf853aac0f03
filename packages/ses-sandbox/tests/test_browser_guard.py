"""Pages of other sites are recognised by what browsers say of them."""

import pytest
from aiohttp.test_utils import make_mocked_request

from ses_sandbox.browser_guard import crosses_sites, names_this_machine


@pytest.mark.parametrize(
    "host",
    ["", "localhost", "localhost:3000", "LOCALHOST:1", "page.localhost:1", "127.0.0.1:3000", "[::1]:3000", "[::1]"],
)
def test_names_that_only_this_machine_has(host: str) -> None:
    assert names_this_machine(host)
    assert names_this_machine(host, any_address=True)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "evil.example.com:3000",
        "localhost.evil.com",
        "127.0.0.1.nip.io",
        "localhost@evil",
        "\udcff",
        "a:b:c",
    ],
)
def test_names_that_somebody_elses_dns_may_lead_here(host: str) -> None:
    assert not names_this_machine(host)
    assert not names_this_machine(host, any_address=True)


def test_addresses_of_other_interfaces_where_those_are_listened_on() -> None:
    assert not names_this_machine("192.0.2.1:3000")
    assert names_this_machine("192.0.2.1:3000", any_address=True)


@pytest.mark.parametrize(
    ("method", "headers", "crosses"),
    [
        ("POST", {}, False),  # no browser
        ("POST", {"Sec-Fetch-Site": "same-origin"}, False),
        ("GET", {"Sec-Fetch-Site": "none"}, False),  # typed by a person
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, False),  # a link
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, False),  # in the page of a mail
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "empty"}, True),
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "script"}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, True),  # a form
        ("POST", {"Origin": "http://localhost:8025"}, False),
        ("POST", {"Origin": "http://localhost:3000"}, True),
        ("POST", {"Origin": "null"}, True),
        ("DELETE", {"Origin": "https://evil.example.com"}, True),
        ("DELETE", {"Origin": "http://["}, True),
    ],
)
def test_what_another_site_made_the_browser_send(method: str, headers: dict[str, str], crosses: bool) -> None:
    request = make_mocked_request(method, "/", headers={"Host": "localhost:8025", **headers})
    assert crosses_sites(request) is crosses
