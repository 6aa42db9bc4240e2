"""Which processes run with which settings."""

from dataclasses import replace
from pathlib import Path

from embedded.layout import SECRETS, Layout, broker_program, decided_by_the_bench, postgres_program, services
from embedded.ports import Ports

LAYOUT = Layout(Path("/bench"), Ports(), {name: f"secret-{name}" for name in SECRETS}, charge_points=3)
SERVICES = [program for together in services(LAYOUT) for program in together]


def test_each_charge_point_is_a_process_of_its_own() -> None:
    names = [[program.name for program in together] for together in services(LAYOUT)]
    assert names == [["memorybank", "csms"], ["charger", "CP-1", "CP-2", "CP-3", "console", "lab"]]


def test_every_process_has_a_state_folder_of_its_own() -> None:
    folders = [program.environ["STATE_DIRECTORY"] for program in SERVICES]
    assert len(set(folders)) == len(folders)


def test_can_stays_on_loopback() -> None:
    interfaces = {p.environ["CAN_INTERFACE"] for p in SERVICES if "CAN_INTERFACE" in p.environ}
    assert interfaces == {"127.0.0.1"}


def test_no_service_gets_a_password_that_it_does_not_need() -> None:
    """The charger gets none, the console no database, only the MemoryBank the writer's."""
    knows = {
        program.name: {
            name for name in SECRETS if any(f"secret-{name}" in v for v in program.environ.values())
        }
        for program in SERVICES
    }
    assert knows["charger"] == set()
    assert knows["console"] == {"mqtt-console", "token"}
    assert knows["CP-1"] == {"mqtt-chargepoint", "enrolment"}
    assert knows["lab"] == {"mqtt-lab", "enrolment"}
    assert knows["csms"] == {"mqtt-csms", "enrolment", "token"}
    assert knows["memorybank"] == {"mqtt-memorybank", "memorybank_writer", "memorybank_reader"}


def test_no_password_stands_on_a_command_line() -> None:
    """Every user of the machine can read command lines."""
    for program in [postgres_program(LAYOUT), broker_program(LAYOUT), *SERVICES]:
        assert not any("secret-" in argument for argument in program.command)


def test_a_service_gets_of_the_environment_what_it_declares_and_the_bench_does_not_decide() -> None:
    given = {"CHARGER_RAMP_LAW": "linear", "CAN_INTERFACE": "10.0.0.7", "HTTP_PASSWORD": "x", "HOME": "y"}
    layout = replace(LAYOUT, given=given)
    environs = {p.name: p.environ for together in services(layout) for p in together}
    assert environs["charger"]["CHARGER_RAMP_LAW"] == "linear"
    assert environs["charger"]["CAN_INTERFACE"] == "127.0.0.1"
    assert not any({"HOME", "HTTP_PASSWORD"} & environ.keys() for environ in environs.values())
    assert not any("CHARGER_RAMP_LAW" in environ for name, environ in environs.items() if name != "charger")


def test_a_grafana_of_somebody_else_is_the_memorybanks_alone() -> None:
    """Its token is no secret that the bench makes: it is handed on, and to nobody else."""
    given = {"GRAFANA_URL": "http://grafana:3000", "GRAFANA_TOKEN": "glsa_x"}
    layout = replace(LAYOUT, given=given)
    got = {p.name: given.items() & p.environ.items() for together in services(layout) for p in together}
    assert {name for name, variables in got.items() if variables} == {"memorybank"}
    assert got["memorybank"] == given.items()
    assert decided_by_the_bench(layout) == []


def test_every_service_has_a_port_of_its_own_for_health() -> None:
    """Those of the charger, the injector and the charge points lie in the range that the bench guards."""
    ports = LAYOUT.health_ports
    assert set(ports) == {program.name for program in SERVICES}
    assert len(set(ports.values())) == len(ports)
    assert (ports["charger"], ports["CP-1"], ports["lab"], ports["CP-3"]) == (19999, 20000, 20001, 20008)
    for program in SERVICES:
        own = {
            int(value)
            for name, value in program.environ.items()
            if name in ("HEALTH_PORT", "CSMS_HTTP_PORT", "MEMORYBANK_HTTP_PORT", "CONSOLE_PORT")
        }
        assert own == {ports[program.name]}


def test_what_was_given_in_vain_is_named() -> None:
    """What the bench decides otherwise; not what arrives, nor what is no setting of ours."""
    given = {
        "CHARGER_RAMP_LAW": "linear",
        "MQTT_PORT": "1884",
        "MQTT_HOST": "127.0.0.1",
        "MQTT_USER": "me",
        "HTTP_PASSWORD": "x",
        "CAN_INTERFACE": "10.0.0.7",
        "CHARGER_ID": "",
        "HOME": "y",
    }
    layout = replace(LAYOUT, ports=Ports(mqtt=1884), given=given)
    assert decided_by_the_bench(layout) == ["CAN_INTERFACE", "HTTP_PASSWORD", "MQTT_USER"]


def test_many_charge_points_share_processes_named_after_their_first_one() -> None:
    """Whatever `make demo CHARGE_POINTS=7` left in the environment: that is the number of all."""
    layout = replace(LAYOUT, charge_points=7, per_process=3, given={"CHARGE_POINTS": "7"})
    programs = [p for together in services(layout) for p in together if p.command[-1] == "chargepoint"]
    hosted = {p.name: (p.environ["CHARGE_POINT_ID"], p.environ["CHARGE_POINTS"]) for p in programs}
    assert hosted == {"CP-1": ("CP-1", "3"), "CP-4": ("CP-4", "3"), "CP-7": ("CP-7", "1")}
    assert [layout.health_ports[name] for name in hosted] == [20000, 20012, 20024]
    assert decided_by_the_bench(layout) == []


def test_a_large_bench_has_a_charger_with_room_for_it() -> None:
    def capacity(charge_points: int) -> str | None:
        layout = replace(LAYOUT, charge_points=charge_points, per_process=1000)
        (charger,) = (p for together in services(layout) for p in together if p.name == "charger")
        return charger.environ.get("CHARGER_CAPACITY")

    assert (capacity(99), capacity(2000)) == (None, "8000")
