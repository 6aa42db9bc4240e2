"""The configuration keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargepoint.configuration import KEYS, Change, Configuration, change, described, restored
from contracts import ocpp_messages
from contracts.ocpp_messages import CallResult

DEFAULT = Configuration({})

# OCPP 1.6, chapter 9.1 and 9.4: what must be there.
REQUIRED = [
    "AuthorizeRemoteTxRequests",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "ConnectorPhaseRotation",
    "GetConfigurationMaxKeys",
    "HeartbeatInterval",
    "LocalAuthorizeOffline",
    "LocalPreAuthorize",
    "MeterValuesAlignedData",
    "MeterValuesSampledData",
    "MeterValueSampleInterval",
    "NumberOfConnectors",
    "ResetRetries",
    "StopTransactionOnEVSideDisconnect",
    "StopTransactionOnInvalidId",
    "StopTxnAlignedData",
    "StopTxnSampledData",
    "SupportedFeatureProfiles",
    "TransactionMessageAttempts",
    "TransactionMessageRetryInterval",
    "UnlockConnectorOnEVSideDisconnect",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "MaxChargingProfilesInstalled",
]


def test_every_required_key_is_there():
    assert set(REQUIRED) <= set(KEYS)


def test_every_default_is_a_value_that_may_be_set():
    assert {
        name for name, key in KEYS.items() if not key.is_readonly and key.check(key.default) is None
    } == set()


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("HeartbeatInterval", "30", Change.ACCEPTED),
        ("HeartbeatInterval", "-1", Change.REJECTED),
        ("HeartbeatInterval", "1.5", Change.REJECTED),
        ("HeartbeatInterval", "soon", Change.REJECTED),
        ("HeartbeatInterval", "", Change.REJECTED),
        ("HeartbeatInterval", "٣", Change.REJECTED),
        ("MeterValueSampleInterval", "0", Change.ACCEPTED),
        ("MeterValueSampleInterval", "86401", Change.REJECTED),
        ("LocalPreAuthorize", "TRUE", Change.ACCEPTED),
        ("LocalPreAuthorize", "yes", Change.REJECTED),
        ("MeterValuesSampledData", "Voltage,SoC", Change.ACCEPTED),
        ("MeterValuesSampledData", "", Change.ACCEPTED),
        ("MeterValuesSampledData", "Voltage,Wind", Change.REJECTED),
        ("ConnectorPhaseRotation", "0.RST,1.RTS", Change.ACCEPTED),
        ("ConnectorPhaseRotation", "1.ABC", Change.REJECTED),
        ("NumberOfConnectors", "9", Change.REJECTED),
        ("WebSocketPingInterval", "20", Change.REBOOT_REQUIRED),
        ("FavouriteColour", "blue", Change.NOT_SUPPORTED),
    ],
)
def test_changing_a_key(name, value, answer):
    assert change(DEFAULT, name, value)[1] is answer


def test_a_refused_change_leaves_the_value():
    assert change(DEFAULT, "HeartbeatInterval", "soon")[0] == DEFAULT


def test_values_are_kept_in_one_form():
    configuration, _ = change(DEFAULT, "MeterValuesSampledData", " Voltage, SoC,Voltage ")
    assert configuration.items("MeterValuesSampledData") == ("Voltage", "SoC")
    configuration, _ = change(configuration, "LocalPreAuthorize", "True")
    assert configuration.flag("LocalPreAuthorize") is True


def test_all_keys_are_told_when_none_is_named():
    keys = described(DEFAULT, [])["configurationKey"]
    assert [each["key"] for each in keys] == list(KEYS)


def test_unknown_keys_are_named():
    answer = described(DEFAULT, ["HeartbeatInterval", "FavouriteColour"])
    assert answer["configurationKey"] == [{"key": "HeartbeatInterval", "readonly": False, "value": "60"}]
    assert answer["unknownKey"] == ["FavouriteColour"]


def test_keys_are_the_same_in_upper_and_lower_case():
    (told,) = described(DEFAULT, ["heartbeatINTERVAL"])["configurationKey"]
    assert told["key"] == "HeartbeatInterval"


def test_the_answer_fits_the_schema():
    ocpp_messages.check_result("GetConfiguration", CallResult("1", described(DEFAULT, [])))


def test_what_was_saved_goes_over_our_settings_and_what_no_longer_fits_is_left_out():
    saved = {
        "MeterValueSampleInterval": "7",
        "HeartbeatInterval": "soon",
        "Gone": "1",
        "NumberOfConnectors": "9",
    }
    configuration = restored(saved, {"MeterValueSampleInterval": "5", "NumberOfConnectors": "2"})
    assert configuration.whole("MeterValueSampleInterval") == 7
    assert configuration.whole("HeartbeatInterval") == 60
    assert configuration.whole("NumberOfConnectors") == 2


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=60))
def test_whatever_is_accepted_can_be_read_back(name, value):
    configuration, answer = change(DEFAULT, name, value)
    if answer in (Change.ACCEPTED, Change.REBOOT_REQUIRED):
        assert KEYS[name].check(configuration.text(name)) == configuration.text(name)
        assert restored(configuration.changed, {}) == configuration
    else:
        assert configuration == DEFAULT
