"""What an id tag may do."""

from datetime import UTC, datetime, timedelta

import pytest

from csms.authorisation import IdTag, id_tag_info, status_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def tag(**changes: object) -> IdTag:
    return IdTag(**{"id_tag": "A", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "is_charging", "status"),
    [
        (tag(), False, "Accepted"),
        (tag(), True, "Accepted"),
        (tag(one_transaction=True), False, "Accepted"),
        (tag(one_transaction=True), True, "ConcurrentTx"),
        (tag(status="Blocked"), False, "Blocked"),
        (tag(status="ConcurrentTx"), False, "ConcurrentTx"),
        (tag(expires_at=NOW + timedelta(seconds=1)), False, "Accepted"),
        (tag(expires_at=NOW), False, "Expired"),
        (tag(status="Blocked", expires_at=NOW), False, "Blocked"),
        (None, False, "Invalid"),
    ],
)
def test_the_status_of_a_tag(known, is_charging, status):
    assert status_of(known, NOW, is_charging=is_charging) == status


def test_unknown_tags_are_accepted_by_choice():
    assert status_of(None, NOW, accept_unknown=True) == "Accepted"


def test_the_info_tells_expiry_and_parent():
    info = id_tag_info(tag(expires_at=NOW, parent_id_tag="P"), NOW)
    assert info == {"status": "Expired", "expiryDate": "2026-06-01T12:00:00.000Z", "parentIdTag": "P"}
