"""Who of three CSMSs answers which request."""

import json

import pytest

from contracts.replicas import holder_of
from csms.routing import LISTS, At, AtAll, Here, Impossible, Joined, Sought, route
from csms.settings import Settings

REPLICAS = 3
SETTINGS = Settings(replica=0, replicas=REPLICAS, peer_url="http://csms-{replica}.csms:9001")
NAMES = [next(f"CP-{n}" for n in range(1, 99) if holder_of(f"CP-{n}", REPLICAS) == one) for one in range(3)]
ONE = {"charge_point_id": NAMES[2], "connector": 1}
BOTH_OF_1 = {"charge_point_ids": [NAMES[1], NAMES[1]]}
RUNS = LISTS["/api/scenario-runs"]


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "answers"),
    [
        ("GET", f"/api/charge-points/{NAMES[1]}", "", None, At(1)),
        ("POST", f"/api/charge-points/{NAMES[2]}/commands", "", {"action": "Reset"}, At(2)),
        ("GET", "/api/charge-points", "", None, Joined("charge_point_id", descending=False)),
        ("GET", "/api/scenario-runs", "limit=5", None, Joined(*RUNS)),
        ("GET", "/api/scenario-runs", f"charge_point_id={NAMES[2]}", None, At(2)),
        ("POST", "/api/scenario-runs", "", BOTH_OF_1, At(1)),
        ("POST", "/api/mix-runs", "", BOTH_OF_1, At(1)),
        ("POST", "/api/manual-frames", "", ONE, At(2)),
        ("GET", "/api/scenario-runs/some-id", "", None, Sought()),
        ("DELETE", "/api/mix-runs/some-id", "", None, Sought()),
        ("POST", "/api/stop-all", "", None, AtAll()),
        ("PUT", "/api/id-tags/NEW", "", {"status": "Accepted"}, AtAll()),
        ("GET", "/api/id-tags", "", None, Here()),
        ("GET", "/api/scenarios", "", None, Here()),
        # Whoever was asked says what is wrong.
        ("POST", "/api/scenario-runs", "", {"charge_point_ids": "CP-1"}, Here()),
        ("POST", "/api/scenario-runs", "", {"charge_point_ids": [1, None]}, Here()),
        ("POST", "/api/scenario-runs", "", [NAMES[1]], Here()),
        ("POST", "/api/unknown", "", None, Here()),
    ],
)
def test_who_answers(method, path, query, body, answers):
    content = b"" if body is None else json.dumps(body).encode()
    assert route(SETTINGS, method, path, query, content) == answers


def test_what_is_no_json_is_answered_here():
    for body in (b"{", b"\xff", b"[" * 100_000):
        assert route(SETTINGS, "POST", "/api/scenario-runs", "", body) == Here()


def test_charge_points_of_two_cannot_be_asked_for_at_once():
    body = json.dumps({"charge_point_ids": NAMES[:2]}).encode()
    answer = route(SETTINGS, "POST", "/api/scenario-runs", "", body)
    assert isinstance(answer, Impossible)
    assert "csms-0" in answer.reason
    assert "csms-1" in answer.reason
