"""Who may publish and read what at the broker: the access list, on the broker that enforces it."""

import pytest

from container_stack import Stack, docker

pytestmark = [pytest.mark.containers, pytest.mark.timeout(120)]

TOPICS = {
    "events": "chargebench/v1/events/00/chargepoint/CP-1",
    "CSMS's events": "chargebench/v1/events/00/csms/csms-0",
    "truth": "chargebench/v1/truth/00/csms/csms-0",
    "committed": "chargebench/v1/committed/chargepoint/CP-1/events/00",
    "truth committed": "chargebench/v1/committed/csms/csms-0/truth/00",
    "anomalies": "chargebench/v1/live/anomalies/CP-1",
    "injections": "chargebench/v1/injections/CP-1",
    "injected": "chargebench/v1/injected/CP-1",
    "verdicts": "chargebench/v1/verdicts/mine/CP-1",
}
WRITES = {
    "chargepoint": {"events", "injected"},
    "csms": {"CSMS's events", "truth", "injections"},
    "lab": {"injected"},
    "memorybank": {"committed", "truth committed", "anomalies"},
    "console": set(),
    "detector": {"verdicts"},
}
READS = {
    "chargepoint": {"committed", "injections"},
    "csms": {"truth committed", "injected"},
    "lab": {"injections"},
    "memorybank": {"events", "CSMS's events", "truth", "verdicts"},
    "console": {"events", "CSMS's events", "anomalies"},
    "detector": {"events", "CSMS's events", "anomalies"},
}


def client(broker: Stack, program: str, account: str, *arguments: str) -> str:
    """Run an MQTT client in the broker's container; version 5, because only that tells of refusals."""
    login = ("-V", "5", "-u", account, "-P", f"{account}-password")
    return docker("exec", broker.name("mosquitto"), program, *login, *arguments, check=False)


@pytest.fixture(scope="module")
def retained(broker: Stack) -> None:
    """One retained message in each channel, by an account that may."""
    writers = {topic: account for account, topics in WRITES.items() for topic in topics}
    for channel, topic in TOPICS.items():
        answer = client(
            broker, "mosquitto_pub", writers[channel], "-q", "1", "-r", "-t", topic, "-m", channel
        )
        assert answer == "", channel


@pytest.mark.parametrize("account", WRITES)
def test_an_account_publishes_where_it_may_and_nowhere_else(broker: Stack, account: str) -> None:
    """Only the MemoryBank can say "committed", which empties outboxes; only the CSMS tells the truth."""
    allowed = {
        channel
        for channel, topic in TOPICS.items()
        if "Not authorized" not in client(broker, "mosquitto_pub", account, "-q", "1", "-t", topic, "-m", "x")
    }
    assert allowed == WRITES[account]


@pytest.mark.usefixtures("retained")
@pytest.mark.parametrize("account", READS)
def test_an_account_reads_what_it_may_and_nothing_else(broker: Stack, account: str) -> None:
    """Who detects or shows sees no injection, and but for the MemoryBank, which stores it, no truth."""
    heard = client(broker, "mosquitto_sub", account, "-t", "#", "-F", "%t", "-W", "1").splitlines()
    assert {channel for channel, topic in TOPICS.items() if topic in heard} == READS[account]


def test_nobody_comes_in_without_a_password(broker: Stack) -> None:
    """Neither nameless nor with another account's password."""
    for arguments in ((), ("-u", "console"), ("-u", "memorybank", "-P", "console-password")):
        answer = docker(
            *("exec", "-e", "XDG_CONFIG_HOME=/nowhere", broker.name("mosquitto")),
            *("mosquitto_sub", "-V", "5", "-h", "127.0.0.1", *arguments, "-t", "#", "-W", "1"),
            check=False,
        )
        assert "Not authorized" in answer, arguments


def test_no_password_is_kept_in_the_clear(broker: Stack) -> None:
    """The broker's own file has hashes, and only the broker may read it."""
    name = broker.name("mosquitto")
    file = docker("exec", name, "cat", "/run/mosquitto/passwords")
    assert file.count(":$7$") == len(WRITES) + 1
    assert "-password" not in file
    assert docker("exec", name, "stat", "-c", "%a %u", "/run/mosquitto/passwords") == "600 1883\n"
