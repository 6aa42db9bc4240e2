"""What the charge point does with nonsense from its CSMS: the right error, and it carries on."""

import asyncio
import json
import string

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chargepoint_parts import Bench, ForeignCsms, RawCsms, udp_port, until
from contracts.ocpp_messages import MAX_MESSAGE_BYTES

GOOD = '[2,"good","GetConfiguration",{"key":["NumberOfConnectors"]}]'


def command(action, payload):
    return json.dumps([2, "id-1", action, payload])


def profile(**schedule):
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1}],
            }
            | schedule,
        },
    }


REFUSED = [
    ("{", "FormationViolation"),
    ("", "FormationViolation"),
    ("\x00", "FormationViolation"),
    ("[" * 5000, "FormationViolation"),
    (b"\xff\xfe", "FormationViolation"),
    ("{}", "ProtocolError"),
    ("[]", "ProtocolError"),
    ("null", "ProtocolError"),
    ("[5]", "ProtocolError"),
    ("[2]", "ProtocolError"),
    ('[2,17,"Reset",{"type":"Hard"}]', "ProtocolError"),
    ('[2,"","Reset",{"type":"Hard"}]', "ProtocolError"),
    (json.dumps([2, "x" * 37, "Reset", {"type": "Hard"}]), "ProtocolError"),
    ('[2,"id-1","Reset"]', "FormationViolation"),
    ('[2,"id-1","Reset",[]]', "FormationViolation"),
    ('[2,"id-1",9,{}]', "FormationViolation"),
    ('[2,"id-1","Reset",{"type":"Hard"},1]', "FormationViolation"),
    (command("MakeCoffee", {}), "NotImplemented"),
    (command("GetDiagnostics", {"location": "ftp://127.0.0.1"}), "NotSupported"),
    (command("BootNotification", {"chargePointVendor": "x", "chargePointModel": "y"}), "NotSupported"),
    (command("Reset", {}), "ProtocolError"),
    (command("Reset", {"type": "Gentle"}), "PropertyConstraintViolation"),
    (command("Reset", {"type": "Hard", "why": "because"}), "FormationViolation"),
    (command("RemoteStartTransaction", {"idTag": 5}), "TypeConstraintViolation"),
    (command("RemoteStartTransaction", {"idTag": "x" * 21}), "TypeConstraintViolation"),
    (command("RemoteStartTransaction", {}), "ProtocolError"),
    (command("RemoteStopTransaction", {"transactionId": "1"}), "TypeConstraintViolation"),
    (command("ChangeAvailability", {"connectorId": 1}), "ProtocolError"),
    (command("SetChargingProfile", {"connectorId": 1}), "ProtocolError"),
    (command("SetChargingProfile", profile(chargingRateUnit="VA")), "PropertyConstraintViolation"),
    (command("SetChargingProfile", profile(startSchedule="soon")), "PropertyConstraintViolation"),
    (command("SetChargingProfile", profile(duration="long")), "TypeConstraintViolation"),
    (command("GetCompositeSchedule", {"connectorId": 1, "duration": 1.5}), "TypeConstraintViolation"),
    (
        command("ReserveNow", {"connectorId": 1, "expiryDate": "x", "idTag": "T", "reservationId": 1}),
        "PropertyConstraintViolation",
    ),
]
REJECTED = [
    ("SetChargingProfile", profile(startSchedule="9999-12-31T23:59:59Z")),
    ("SetChargingProfile", profile(chargingSchedulePeriod=[])),
    ("SetChargingProfile", profile(chargingSchedulePeriod=[{"startPeriod": -5, "limit": 1}])),
    ("SetChargingProfile", profile(chargingSchedulePeriod=[{"startPeriod": 0, "limit": -1}])),
    ("SetChargingProfile", profile() | {"connectorId": 99}),
    ("SetChargingProfile", profile() | {"connectorId": -1}),
    ("GetCompositeSchedule", {"connectorId": -1, "duration": 60}),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": -60}),
    ("RemoteStopTransaction", {"transactionId": 2**62}),
]


def environ(port):
    return {
        "CHARGE_POINT_ID": "CP-1",
        "CSMS_URL": f"ws://127.0.0.1:{port}",
        "CAN_PORT": str(udp_port()),
        "CAN_BACKPLANE_PORT": str(udp_port()),
        "OCPP_CALL_TIMEOUT_S": "1",
        "RECONNECT_LONGEST_S": "0.5",
    }


@pytest_asyncio.fixture
async def raw(tmp_path):
    """A CSMS without manners, and the charge point that is connected to it."""
    async with RawCsms().serving() as raw:
        bench = Bench(ForeignCsms(), environ(raw.port), tmp_path)
        async with bench.running():
            raw.bench = bench
            await until(lambda: "csms_connected" in bench.records(), "the connection")
            yield raw


async def works(raw):
    message_type, unique_id, _ = await raw.ask(GOOD)
    return (message_type, unique_id) == (3, "good")


async def test_refused_messages_get_their_error_and_nothing_breaks(raw):
    for text, code in REFUSED:
        answer = await raw.ask(text)
        assert (answer[0], answer[2]) == (4, code), text
    assert await works(raw)
    assert raw.connections == 1


async def test_commands_that_make_no_sense_are_rejected(raw):
    for action, payload in REJECTED:
        answer = await raw.ask(command(action, payload))
        assert (answer[0], answer[2]["status"]) == (3, "Rejected"), (action, payload)
    assert await works(raw)


@pytest.mark.parametrize(
    "text",
    [
        '[3,"nobody-asked",{}]',
        '[4,"nobody-asked","InternalError","",{}]',
        '[3,"id"]',
        '[4,"id"]',
        "[3]",
    ],
)
async def test_answers_that_nobody_asked_for_are_not_answered(raw, text):
    await raw.say(text)
    assert await works(raw)
    assert raw.texts.empty()


async def test_an_id_tag_that_nobody_answers_for_is_refused(raw):
    station = raw.bench.station
    asked = asyncio.create_task(station.id_tags.authorize("TAG"))
    async with asyncio.timeout(5):
        assert await asked is False  # by the rules for offline
    assert await works(raw)


async def test_an_oversized_message_ends_the_connection_and_it_comes_back(raw):
    await raw.say('[2,"id-1","DataTransfer",{"vendorId":"' + "x" * MAX_MESSAGE_BYTES + '"}]')
    await until(lambda: raw.connections == 2, "the next connection")
    await until(lambda: raw.bench.records().count("csms_connected") == 2, "the registration")
    assert await works(raw)


async def test_a_csms_that_answers_nothing_is_survived(raw):
    raw.answers = False
    station = raw.bench.station
    for _ in range(3):
        station.notify_station_status()
    assert await works(raw)


async def test_a_csms_that_does_not_speak_ocpp_is_left(tmp_path):
    from websockets.asyncio.server import serve  # noqa: PLC0415

    opened = []

    async def silent(connection):
        opened.append(connection)
        await connection.wait_closed()

    async with serve(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Bench(ForeignCsms(), environ(port), tmp_path).running():
            await until(lambda: len(opened) >= 2, "another try")
            await until(lambda: opened[0].close_code is not None, "the first connection to end")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(string.printable, max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
ACTIONS = st.sampled_from(
    ["RemoteStartTransaction", "SetChargingProfile", "ChangeConfiguration", "GetCompositeSchedule", "Reset"]
) | st.text(max_size=10)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=60),
        JSON.map(json.dumps),
        st.tuples(st.just(2), st.just("id-1"), ACTIONS, JSON).map(json.dumps),
    )
)
def test_random_calls_are_always_answered(answerer, text):
    """Whatever text comes, a peer of the real commands answers it (or needs not) and goes on."""
    answerer(text)


@pytest.fixture
def answerer(tmp_path):
    """The charge point's peer and commands, one text at a time, in a loop of its own."""
    from chargepoint import commands  # noqa: PLC0415
    from chargepoint.settings import Place, Settings  # noqa: PLC0415
    from chargepoint.station import Station  # noqa: PLC0415
    from chargepoint.store import Store  # noqa: PLC0415
    from chassis.ocpp_peer import OcppPeer  # noqa: PLC0415
    from chassis.settings import read  # noqa: PLC0415

    class OneText:
        def __init__(self):
            self.incoming, self.sent = [], []

        async def recv(self):
            if not self.incoming:
                raise EOFError
            return self.incoming.pop(0)

        async def send(self, message):
            self.sent.append(json.loads(message))

    store = Store(tmp_path / "state.sqlite")
    with asyncio.Runner() as runner:

        async def made():
            place = Place("CP-1", "127.0.0.1", (1,))
            return Station(read(Settings, {}), place, store, lambda _: None)

        station = runner.run(made())
        connection = OneText()
        peer = OcppPeer(connection, commands.handlers(station))

        def answer(text):
            connection.incoming, connection.sent = [text, GOOD], []
            with pytest.raises(EOFError):
                runner.run(peer.run())
            assert connection.sent[-1][:2] == [3, "good"]
            assert len(connection.sent) <= 2

        yield answer
    store.close()
