"""A Grafana's address and token are judged before anything is asked, and no secret is repeated."""

import pytest

from chassis.grafana_address import Address, address_complaint, token_complaint


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:3000", Address("http", "127.0.0.1", 3000, "")),
        ("https://example.org/", Address("https", "example.org", None, "")),
        ("http://grafana:3000/a/b/", Address("http", "grafana", 3000, "a/b/")),
        ("http://[::1]:3000/g", Address("http", "[::1]", 3000, "g/")),
    ],
)
def test_an_address_is_read_in_its_parts(url, address):
    assert Address.parse(url) == address
    assert str(address) == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("grafana:3000", "is no http:// or https:// URL"),
        ("ftp://grafana", "is no http:// or https:// URL"),
        ("http://", "is no http:// or https:// URL"),
        ("http://grafana:port", "is no URL"),
        ("http://[::1", "is no URL"),
        ("http://admin:hunter2@grafana:3000", "carries a user"),
        ("http://grafana:3000/?token=hunter2", "something after its path"),
        ("http://grafana:3000/#hunter2", "something after its path"),
    ],
)
def test_a_wrong_address_is_named_without_its_secrets(url, complaint):
    assert complaint in address_complaint(url)
    assert "hunter2" not in address_complaint(url)


def test_no_address_and_no_token_are_nothing_wrong():
    assert address_complaint("") is None
    assert token_complaint("") is None


@pytest.mark.parametrize("url", ["http://127.0.0.2", "http://localhost", "http://[::1]:3"])
def test_this_machine_is_known(url):
    assert Address.parse(url).is_loopback
    assert not Address.parse("http://10.0.0.1").is_loopback
