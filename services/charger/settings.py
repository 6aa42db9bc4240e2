"""The charger's settings."""

from dataclasses import dataclass

from chassis.can_settings import CanSettings
from chassis.guard import HttpSettings
from chassis.health import health_port
from chassis.settings import at_least, group, one_of, setting, within


def _buses(names: tuple[str, ...]) -> str | None:
    wrong = [name for name in names if name.isdecimal() and not 1 <= int(name) <= 65535]
    return f"{', '.join(wrong)}: not in 1 … 65535" if wrong else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(CanSettings):
    """One process: where it is, which modules it makes. All modules of a process are of one kind."""

    charger_id: str = setting(
        "CHARGER_ID",
        "Name on the backplane; no two chargers may share it. Not given: host name and a random suffix",
        default="",
    )
    buses: tuple[str, ...] = setting(
        "CHARGER_BUSES",
        "Buses to serve without being asked, comma-separated: UDP ports, or names of SocketCAN interfaces",
        default=(),
        check=_buses,
    )
    capacity: int = setting(
        "CHARGER_CAPACITY", "Most buses that this process serves on request", default=1000, check=at_least(0)
    )
    ramp_law: str = setting(
        "CHARGER_RAMP_LAW",
        "How the current nears its target: `exponential` or `linear`",
        default="exponential",
        check=one_of("exponential", "linear"),
    )
    ramp_share_percent: float = setting(
        "CHARGER_RAMP_SHARE_PERCENT",
        "Exponential law: percent of the remaining gap per 0.1 s",
        default=20.0,
        check=within(0.1, 99.9),
    )
    ramp_a_per_s: float = setting(
        "CHARGER_RAMP_A_PER_S", "Linear law: A/s", default=20.0, check=within(0.1, 10_000)
    )
    ramp_lag_s: float = setting(
        "CHARGER_RAMP_LAG_S",
        "Linear law: time constant with which the last amperes are closed, s; real chargers have 0.2 to 0.5",
        default=0.0,
        check=within(0, 10),
    )
    set_error_share: float = setting(
        "CHARGER_SET_ERROR_SHARE",
        "Error of a set current, -1 to 1 of what State Grid's specification allows (0.3 A; 1 % from 30 A on)",
        default=0.0,
        check=within(-1, 1),
    )
    rated_a: float = setting(
        "CHARGER_RATED_A", "Most current that a module delivers, A", default=300.0, check=within(1, 6500)
    )
    ambient_c: float = setting(
        "CHARGER_AMBIENT_C", "Temperature around the modules, °C", default=25.0, check=within(-40, 80)
    )
    noise_sd_a: float = setting(
        "CHARGER_NOISE_SD_A",
        "Standard deviation of the current sensor, A; real ones have 0.06 to 0.30",
        default=0.1,
        check=within(0, 10),
    )
    bias_a: float = setting(
        "CHARGER_BIAS_A",
        "Bias of the current sensor, A; real ones have up to 0.5 either way",
        default=0.0,
        check=within(-10, 10),
    )
    vehicle_full_v: float = setting(
        "CHARGER_VEHICLE_V", "Voltage of a full vehicle battery, V", default=400.0, check=within(100, 1000)
    )
    vehicle_peak_kw: float = setting(
        "CHARGER_VEHICLE_PEAK_KW", "Most power that a vehicle takes, kW", default=130.0, check=within(1, 1000)
    )
    vehicle_capacity_kwh: float = setting(
        "CHARGER_VEHICLE_CAPACITY_KWH",
        "Usable energy of a vehicle battery, kWh",
        default=64.0,
        check=within(1, 1000),
    )
    http: HttpSettings = group(HttpSettings)
    health_port: int = health_port()
    seed: int = setting(
        "CHARGER_SEED",
        "Seed of arriving vehicles, which it decides with the bus; a sensor's noise never repeats",
        default=1,
        check=at_least(0),
    )
