"""OCPP's configuration keys as a table: what may be read, what may be changed, to what. Pure."""

import enum
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from chargepoint import charging_profile, smart_charging
from chargepoint.bridge import MEASURANDS
from contracts.ocpp_messages import Payload

Check: TypeAlias = Callable[[str], str | None]
"""Returns the value in its canonical form, or None where it is refused."""


class Change(enum.StrEnum):
    """The answer to ChangeConfiguration."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    REBOOT_REQUIRED = "RebootRequired"
    NOT_SUPPORTED = "NotSupported"


def _refused(_: str) -> None:
    return None


def _flag(value: str) -> str | None:
    return value.lower() if value.lower() in ("true", "false") else None


def _whole(lowest: int, highest: int) -> Check:
    def check(value: str) -> str | None:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            return None
        return str(int(value))

    return check


def _measurands(value: str) -> str | None:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if len(names) > len(MEASURANDS) or any(name not in MEASURANDS for name in names):
        return None
    return ",".join(dict.fromkeys(names))


def _phase_rotation(value: str) -> str | None:
    words = [word.strip() for word in value.split(",") if word.strip()]
    known = r"(\d+\.)?(NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)"
    return ",".join(words) if words and all(re.fullmatch(known, word) for word in words) else None


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its value at first, what a change must fit (`_refused`: read-only), and when it is felt."""

    default: str
    check: Check = _refused
    needs_reboot: bool = False

    @property
    def is_readonly(self) -> bool:
        """Whether ChangeConfiguration is refused whatever the value."""
        return self.check is _refused


_DAY_S = 86_400
_ALL = ",".join(MEASURANDS)
_COUNT = str(len(MEASURANDS))

KEYS: Mapping[str, Key] = {
    # Core
    "AllowOfflineTxForUnknownId": Key("false", _flag),
    "AuthorizationCacheEnabled": Key("true", _flag),
    "AuthorizeRemoteTxRequests": Key("false", _flag),
    "ClockAlignedDataInterval": Key("0", _whole(0, _DAY_S)),
    "ConnectionTimeOut": Key("60", _whole(1, _DAY_S)),
    "ConnectorPhaseRotation": Key("NotApplicable", _phase_rotation),
    "GetConfigurationMaxKeys": Key("100"),
    "HeartbeatInterval": Key("60", _whole(0, _DAY_S)),
    "LocalAuthorizeOffline": Key("true", _flag),
    "LocalPreAuthorize": Key("false", _flag),
    "MeterValuesAlignedData": Key(_ALL, _measurands),
    "MeterValuesAlignedDataMaxLength": Key(_COUNT),
    "MeterValuesSampledData": Key(_ALL, _measurands),
    "MeterValuesSampledDataMaxLength": Key(_COUNT),
    "MeterValueSampleInterval": Key("1", _whole(0, _DAY_S)),
    "NumberOfConnectors": Key("1"),
    "ResetRetries": Key("1", _whole(0, 10)),
    "StopTransactionOnEVSideDisconnect": Key("true"),
    "StopTransactionOnInvalidId": Key("true"),
    "StopTxnAlignedData": Key(""),
    "StopTxnSampledData": Key("", _measurands),
    "StopTxnSampledDataMaxLength": Key(_COUNT),
    "SupportedFeatureProfiles": Key("Core,SmartCharging,RemoteTrigger,Reservation"),
    "TransactionMessageAttempts": Key("3", _whole(1, 100)),
    "TransactionMessageRetryInterval": Key("10", _whole(0, 3600)),
    "UnlockConnectorOnEVSideDisconnect": Key("true"),
    "WebSocketPingInterval": Key("10", _whole(0, 3600), needs_reboot=True),
    # Smart charging
    "ChargeProfileMaxStackLevel": Key(str(charging_profile.MAX_STACK_LEVEL)),
    "ChargingScheduleAllowedChargingRateUnit": Key("Current,Power"),
    "ChargingScheduleMaxPeriods": Key(str(charging_profile.MAX_PERIODS)),
    "ConnectorSwitch3to1PhaseSupported": Key("false"),
    "MaxChargingProfilesInstalled": Key(str(smart_charging.MAX_INSTALLED)),
    # Reservation
    "ReserveConnectorZeroSupported": Key("false"),
}
"""Every key that is known; OCPP 1.6, chapter 9."""


@lru_cache(256)
def _items(text: str) -> tuple[str, ...]:
    return tuple(item for item in text.split(",") if item)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The keys with their values; `changed` is what differs from the table."""

    changed: Mapping[str, str]

    def text(self, name: str) -> str:
        """Return a key's value."""
        return self.changed.get(name, KEYS[name].default)

    def flag(self, name: str) -> bool:
        """Return a boolean key."""
        return self.text(name) == "true"

    def whole(self, name: str) -> int:
        """Return a number."""
        return int(self.text(name))

    def items(self, name: str) -> tuple[str, ...]:
        """Return a comma-separated list."""
        return _items(self.text(name))

    def with_value(self, name: str, value: str) -> "Configuration":
        """Return the configuration with a value that is the charge point's own to set."""
        return replace(self, changed={**self.changed, name: value})


_NAMES = {name.lower(): name for name in KEYS}


def key_name(name: str) -> str:
    """Return a key as the table writes it, since OCPP's CiString knows no case; an unknown one as it is."""
    return _NAMES.get(name.lower(), name)


def change(configuration: Configuration, name: str, value: str) -> tuple[Configuration, Change]:
    """Return the configuration after ChangeConfiguration, and the answer."""
    key = KEYS.get(name)
    if key is None:
        return configuration, Change.NOT_SUPPORTED
    canonical = key.check(value)
    if canonical is None:
        return configuration, Change.REJECTED
    answer = Change.REBOOT_REQUIRED if key.needs_reboot else Change.ACCEPTED
    return configuration.with_value(name, canonical), answer


def described(configuration: Configuration, names: Iterable[str]) -> Payload:
    """Return the answer to GetConfiguration: the keys asked for, or all when none was named."""
    wanted = list(dict.fromkeys(map(key_name, names))) or list(KEYS)
    known = [
        {"key": name, "readonly": KEYS[name].is_readonly, "value": configuration.text(name)}
        for name in wanted
        if name in KEYS
    ]
    unknown = [name for name in wanted if name not in KEYS]
    return {"configurationKey": known} | ({"unknownKey": unknown} if unknown else {})


def restored(saved: Mapping[str, str], own: Mapping[str, str]) -> Configuration:
    """Return our settings and over them what a CSMS changed; what no longer fits is left out."""
    fitting = {
        name: value for name, value in saved.items() if name in KEYS and KEYS[name].check(value) is not None
    }
    return Configuration({**own, **fitting})
