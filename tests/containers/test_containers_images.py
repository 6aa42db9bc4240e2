"""What is in the images, and how the containers are confined."""

import json
import re

import psutil
import pytest

from container_stack import PORTS, Stack, docker

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

SERVICES = ("charger", "chargepoint", "csms", "memorybank", "console", "lab")
PUBLISHED = {"csms": 2, "memorybank": 1, "console": 1}
MOST_BYTES = {"memorybank": 95_000_000}
"""Of an image's own layers, above those of python:3.13-slim: where it writes Parquet and CAN logs."""
MOST_BYTES_OF_OTHERS = 55_000_000

_MODULES = """
import importlib.util, json
names = ("can", "fastapi", "ocpp", "paho", "pip", "psycopg", "setuptools", "websockets")
own = ("charger", "chargepoint", "csms", "memorybank", "console", "lab", "embedded")
print(json.dumps([name for name in (*names, *own) if importlib.util.find_spec(name)]))
"""


@pytest.mark.parametrize(
    ("service", "modules"),
    [
        ("charger", {"can"}),
        ("chargepoint", {"can", "ocpp", "paho", "websockets"}),
        ("csms", {"fastapi", "ocpp", "paho", "websockets"}),
        ("memorybank", {"can", "fastapi", "paho", "psycopg"}),
        ("console", {"can", "fastapi", "paho"}),
        ("lab", {"can", "ocpp", "paho", "websockets"}),
    ],
)
def test_an_image_holds_one_service_and_its_imports(stack: Stack, service: str, modules: set[str]) -> None:
    """No other service, no installer; the charger has no psycopg."""
    assert set(json.loads(stack.python(service, _MODULES))) == {service, *modules}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_small(stack: Stack, service: str) -> None:
    """Its own layers; the base is shared by all."""
    image = json.loads(docker("image", "inspect", stack.inspect(service)["Image"]))[0]
    base = json.loads(docker("image", "inspect", "python:3.13-slim"))[0]
    assert image["Size"] - base["Size"] < MOST_BYTES.get(service, MOST_BYTES_OF_OTHERS)


def test_containers_are_confined(stack: Stack) -> None:
    """No root, nothing writable but state and memory, no capability, none to be gained, all bounded."""
    for container in stack.containers():
        name, host = container["Name"], container["HostConfig"]
        assert container["Config"]["User"] not in {"", "0", "root", "0:0"}, name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert not host["Privileged"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name
        assert host["PidsLimit"] > 0, name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert host["LogConfig"]["Config"]["max-size"], name
        assert container["State"]["Health"]["Status"] == "healthy", name
        writable = [mount for mount in container["Mounts"] if mount["RW"]]
        assert all(mount["Type"] == "volume" for mount in writable), name


@pytest.mark.parametrize("service", SERVICES)
def test_the_process_has_no_capability_and_no_root(stack: Stack, service: str) -> None:
    """As the kernel says, not as the engine was asked."""
    status = docker("exec", stack.name(service), "cat", "/proc/1/status")
    assert set(re.findall(r"^Cap\w+:\s*(\w+)", status, re.MULTILINE)) == {"0" * 16}
    assert re.search(r"^Uid:\s*10001\s+10001\s+10001\s+10001$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)


def test_ports_are_published_on_loopback_only(stack: Stack) -> None:
    """Of the containers, only those for people; and the machine listens on 127.0.0.1 alone."""
    for container in stack.containers():
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        lines = docker("port", container["Id"]).splitlines()
        assert len(lines) == PUBLISHED.get(service, 0), service
        assert all(" -> 127.0.0.1:" in line for line in lines), lines
    ports = {int(stack.environ[name]) for name in PORTS}
    listening = {
        (connection.laddr.port, connection.laddr.ip)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in ports
    }
    assert listening == {(port, "127.0.0.1") for port in ports}


@pytest.mark.parametrize(
    ("service", "password"),
    [("csms", "OCPP_PASSWORD"), ("memorybank", "HTTP_PASSWORD"), ("console", "HTTP_PASSWORD")],
)
def test_a_service_does_not_start_on_another_address_without_a_password(
    stack: Stack, service: str, password: str
) -> None:
    """CHARGEBENCH_BIND=0.0.0.0 alone is refused, naming what is missing."""
    # A second process beside the running one: it must end before it touches anything.
    exposed = ("-e", "HTTP_EXPOSED_ON=0.0.0.0", "-e", "OCPP_EXPOSED_ON=0.0.0.0")
    answer = docker("exec", *exposed, stack.name(service), "python", "-m", service, check=False)
    assert f"{service}: " in answer
    assert f"{password}: needed" in answer


def test_networks_join_only_who_must_talk(stack: Stack) -> None:
    """The charger cannot reach the broker, nor the charge point the database."""
    members: dict[str, set[str]] = {}
    for container in stack.containers():
        for network in container["NetworkSettings"]["Networks"]:
            short = network.removeprefix(f"{stack.project}_")
            service = container["Config"]["Labels"]["com.docker.compose.service"]
            members.setdefault(short, set()).add(service)
    assert members == {
        "can": {"charger", "chargepoint", "console", "lab"},
        "ocpp": {"chargepoint", "csms", "lab"},
        "mqtt": {"mosquitto", "chargepoint", "csms", "memorybank", "console", "lab"},
        "database": {"postgres", "memorybank"},
        "web": {"csms", "memorybank", "console"},
    }


def test_no_network_leads_outside(stack: Stack) -> None:
    """Without masquerading, what a container sends beyond its networks is never answered."""
    names = docker("network", "ls", "--quiet", "--filter", f"name=^{stack.project}_").split()
    assert len(names) == 5
    for network in json.loads(docker("network", "inspect", *names)):
        assert network["Options"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"
