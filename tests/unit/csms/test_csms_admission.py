"""Who may connect: a table of opening requests."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.admission import Admitted, OpeningRequest, Refused, Rules, admit

RULES = Rules(enrolment_password="ours")
GUARDED = Rules(enrolment_password="ours", foreign_password="theirs")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def opening(path: str = "/CP-1", **changes: object) -> OpeningRequest:
    return OpeningRequest(**{"path": path, "subprotocols": ("ocpp1.6",), **changes})  # type: ignore[arg-type]


def admitted(request: OpeningRequest, rules: Rules = RULES, *, own: bool = False) -> Admitted | Refused:
    return admit(request, rules, lambda _: own)


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/CP-1", "CP-1"),
        ("/CP%201", "CP 1"),
        ("/caf%C3%A9", "café"),
        ("/CP-1?x=y", "CP-1"),
        ("/" + "a" * 48, "a" * 48),
    ],
)
def test_the_path_is_the_percent_encoded_identity(path, identity):
    assert admitted(opening(path)) == Admitted(identity, enrolled=False)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("", 404),
        ("/ocpp/CP-1", 404),
        ("/a%2Fb", 400),
        ("/a%00b", 400),
        ("/a%0Ab", 400),
        ("/a%E2%80%AEb", 400),  # a direction mark
        ("/%20CP", 400),
        ("/%FF", 400),
        ("/" + "a" * 49, 400),
    ],
)
def test_a_bad_identity_is_refused_with_a_4xx(path, status):
    refused = admitted(opening(path))
    assert isinstance(refused, Refused)
    assert refused.status == status


@given(st.text(max_size=60))
def test_no_path_breaks_admission(path):
    outcome = admitted(opening(path))
    assert isinstance(outcome, (Admitted, Refused))
    if isinstance(outcome, Admitted):
        assert outcome.charge_point_id.isprintable()
        assert 1 <= len(outcome.charge_point_id) <= 48


def test_a_browser_is_refused():
    refused = admitted(opening(origin="http://localhost:9000"))
    assert isinstance(refused, Refused)
    assert refused.status == 403


@pytest.mark.parametrize("offered", [(), ("ocpp2.0.1",), ("mqtt", "ocpp1.5")])
def test_the_subprotocol_is_demanded_by_name(offered):
    refused = admitted(opening(subprotocols=offered))
    assert isinstance(refused, Refused)
    assert refused.status == 400
    assert "ocpp1.6" in refused.reason


def test_one_of_several_subprotocols_is_enough():
    assert isinstance(admitted(opening(subprotocols=("ocpp2.0.1", "ocpp1.6"))), Admitted)


def test_the_enrolment_password_enrols():
    assert admitted(opening(authorization=basic("CP-1", "ours"))) == Admitted("CP-1", enrolled=True)


@pytest.mark.parametrize(
    "authorization",
    [
        basic("CP-1", "wrong"),
        basic("CP-2", "ours"),
        basic("CP-1", ""),
        "Bearer ours",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"CP-1").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
    ],
)
def test_wrong_credentials_are_401_not_foreign(authorization):
    refused = admitted(opening(authorization=authorization))
    assert isinstance(refused, Refused)
    assert refused.status == 401


def test_without_enrolment_password_nobody_is_enrolled():
    refused = admitted(opening(authorization=basic("CP-1", "")), Rules())
    assert isinstance(refused, Refused)


def test_a_guarded_server_demands_credentials():
    refused = admitted(opening(), GUARDED)
    assert isinstance(refused, Refused)
    assert refused.status == 401


def test_a_guarded_server_takes_foreign_and_own_passwords():
    assert admitted(opening(authorization=basic("CP-1", "theirs")), GUARDED) == Admitted(
        "CP-1", enrolled=False
    )
    assert admitted(opening(authorization=basic("CP-1", "ours")), GUARDED) == Admitted("CP-1", enrolled=True)


@pytest.mark.parametrize("rules", [RULES, GUARDED])
def test_nobody_takes_an_enrolled_identity_without_its_password(rules):
    authorization = None if rules is RULES else basic("CP-1", "theirs")
    refused = admitted(opening(authorization=authorization), rules, own=True)
    assert isinstance(refused, Refused)
    assert refused.status == 403
