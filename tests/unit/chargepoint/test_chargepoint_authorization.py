"""Who may charge, with and without the CSMS."""

from datetime import UTC, datetime, timedelta

import pytest

from chargepoint.authorization import MAX_CACHED, CachedTag, Verdict, decide, learned
from chargepoint.configuration import Configuration

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCEPTED = {"tag": CachedTag("Accepted")}
BLOCKED = {"tag": CachedTag("Blocked")}
EXPIRED = {"tag": CachedTag("Accepted", NOW)}


@pytest.mark.parametrize(
    ("cache", "online", "changed", "verdict"),
    [
        ({}, True, {}, Verdict.ASK),
        (ACCEPTED, True, {}, Verdict.ASK),
        (ACCEPTED, True, {"LocalPreAuthorize": "true"}, Verdict.ACCEPT),
        (BLOCKED, True, {"LocalPreAuthorize": "true"}, Verdict.ASK),
        (EXPIRED, True, {"LocalPreAuthorize": "true"}, Verdict.ASK),
        (ACCEPTED, True, {"LocalPreAuthorize": "true", "AuthorizationCacheEnabled": "false"}, Verdict.ASK),
        (ACCEPTED, False, {}, Verdict.ACCEPT),
        (ACCEPTED, False, {"LocalAuthorizeOffline": "false"}, Verdict.REFUSE),
        (BLOCKED, False, {}, Verdict.REFUSE),
        (BLOCKED, False, {"AllowOfflineTxForUnknownId": "true"}, Verdict.REFUSE),
        (EXPIRED, False, {}, Verdict.REFUSE),
        ({}, False, {}, Verdict.REFUSE),
        ({}, False, {"AllowOfflineTxForUnknownId": "true"}, Verdict.ACCEPT),
    ],
)
def test_the_verdict(cache, online, changed, verdict):
    assert decide("TAG", cache, Configuration(changed), online=online, at=NOW) is verdict


def test_the_csmss_word_is_remembered_whatever_the_case():
    cache = learned({}, "TaG", {"status": "Accepted", "expiryDate": "2026-01-02T00:00:00Z"})
    assert cache == {"tag": CachedTag("Accepted", NOW + timedelta(days=1))}


@pytest.mark.parametrize("status", ["Accepted", "Blocked"])
def test_a_word_with_a_broken_date_is_not_remembered_nor_the_one_before_it(status):
    assert learned(ACCEPTED, "TAG", {"status": status, "expiryDate": "soon"}) == {}


@pytest.mark.parametrize(
    ("expiry", "is_accepted"), [("9999-12-31T23:59:59Z", True), ("0001-01-01T00:00:00Z", False)]
)
def test_a_date_out_of_range_is_never_or_long_ago(expiry, is_accepted):
    cache = learned({}, "TAG", {"status": "Accepted", "expiryDate": expiry})
    assert cache["tag"].is_accepted(NOW) is is_accepted


def test_a_tag_that_is_blocked_without_end_is_no_longer_accepted():
    info = {"status": "Blocked", "expiryDate": "9999-12-31T23:59:59Z"}
    assert not learned(ACCEPTED, "TAG", info)["tag"].is_accepted(NOW)


def test_the_longest_known_make_room():
    cache = {}
    for number in range(MAX_CACHED + 1):
        cache = learned(cache, str(number), {"status": "Accepted"})
    assert len(cache) == MAX_CACHED
    assert "0" not in cache
