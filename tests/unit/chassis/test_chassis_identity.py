"""Which replica a container is, told from the names that its network's name server gives."""

import pytest

from chassis import identity
from chassis.identity import Replica


@pytest.mark.parametrize(
    ("name", "service", "number", "network"),
    [
        ("chargebench-chargepoint-1.chargebench_can.", "chargepoint", 1, "chargebench_can"),
        ("chargebench-chargepoint-12.chargebench_can", "chargepoint", 12, "chargebench_can"),
        ("my-own-bench-charger-3.my-own-bench_default.", "charger", 3, "my-own-bench_default"),
        ("bench_chargepoint_2.bench_can", "chargepoint", 2, "bench_can"),  # compose v1, podman-compose
        ("bench2-chargepoint-10.bench2_can.local", "chargepoint", 10, "bench2_can.local"),
    ],
)
def test_replica_is_told_from_its_name(name: str, service: str, number: int, network: str) -> None:
    assert identity.parse_replica("172.18.0.3", name) == Replica("172.18.0.3", service, number, network)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "localhost.",
        "3f2a9c1d8e7b.",
        "chargepoint-1",  # no network behind it
        "chargepoint-1.chargebench_can",  # no project before it
        "chargebench-chargepoint-one.chargebench_can",
        "chargebench-chargepoint-run-5f3a9c.chargebench_can",  # a one-off container
        "ip-10-0-0-7.compute.internal",  # a cloud's own names
    ],
)
def test_other_names_are_no_replicas(name: str) -> None:
    assert identity.parse_replica("172.18.0.3", name) is None


@pytest.mark.parametrize(
    ("host_name", "number"),
    [
        ("chargepoint-0", 1),
        ("chargepoint-11", 12),
        ("my-release-chargepoint-2", 3),
        ("3f2a9c1d8e7b", None),
        ("chargepoint", None),
        ("chargepoint-", None),
        ("chargepoint1", None),
        ("laptop-x1", None),
        ("", None),
    ],
)
def test_pod_number_is_told_from_its_host_name(host_name: str, number: int | None) -> None:
    assert identity.ordinal_of(host_name) == number


def test_own_addresses_are_no_loopback() -> None:
    assert not [address for address in identity.own_addresses() if address.startswith("127.")]
