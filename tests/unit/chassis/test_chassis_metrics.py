"""Tables of metrics as Prometheus reads them."""

from dataclasses import dataclass, field

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chassis.metrics import Exposition, Metric


@dataclass
class Parts:
    """A service of the test's."""

    stored: int = 0
    lag_s: float | None = None
    by_outcome: dict[str, float] = field(default_factory=dict)
    is_there: bool = False


METRICS: tuple[Metric[Parts], ...] = (
    Metric("stored_total", "What is stored", lambda parts: parts.stored),
    Metric("lag_seconds", "How late", lambda parts: parts.lag_s),
    Metric("commands_total", "By outcome", lambda parts: parts.by_outcome, "outcome", ("done", "refused")),
    Metric("connected", "Whether", lambda parts: {"broker": parts.is_there}, "to", ("broker",)),
)


def read(parts: Parts, identity: dict[str, str] | None = None) -> dict[str, float]:
    """Return the samples by name and labels, as Prometheus's own parser reads them."""
    text = Exposition("example", METRICS, parts, identity)().decode()
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("chargebench")
    }


def types(parts: Parts) -> dict[str, str]:
    text = Exposition("example", METRICS, parts)().decode()
    return {family.name: family.type for family in text_string_to_metric_families(text)}


def test_values_are_read_when_asked() -> None:
    parts = Parts()
    exposition = Exposition("example", METRICS, parts)
    assert b"chargebench_example_stored_total 0.0\n" in exposition()
    parts.stored = 7
    assert b"chargebench_example_stored_total 7.0\n" in exposition()


def test_what_is_not_known_is_left_out() -> None:
    assert "chargebench_example_lag_seconds" not in read(Parts())
    assert read(Parts(lag_s=0.25))["chargebench_example_lag_seconds"] == 0.25


def test_a_name_that_ends_in_total_is_a_counter() -> None:
    found = types(Parts())
    assert found["chargebench_example_stored"] == "counter"
    assert found["chargebench_example_lag_seconds"] == "gauge"


def test_undeclared_values_of_a_label_make_no_series() -> None:
    """Or a peer could make as many as it likes."""
    found = read(Parts(by_outcome={"done": 2.0, "evil": 1.0}))
    assert found["chargebench_example_commands_total{outcome=done}"] == 2
    assert not any("evil" in name or "refused" in name for name in found)


def test_yes_is_one() -> None:
    assert read(Parts(is_there=True))["chargebench_example_connected{to=broker}"] == 1
    assert read(Parts())["chargebench_example_connected{to=broker}"] == 0


@pytest.mark.parametrize("name", ["CP-1", 'a"b\\c', "Straße 7", "line\nbreak"])
def test_a_process_says_who_it_is_whatever_its_name(name: str) -> None:
    text = Exposition("example", METRICS, Parts(), {"charge_point_id": name})().decode()
    [family] = [
        each for each in text_string_to_metric_families(text) if each.name == "chargebench_example_info"
    ]
    assert [sample.labels for sample in family.samples] == [{"charge_point_id": name}]


def test_a_process_says_what_it_takes_of_the_machine() -> None:
    text = Exposition("example", METRICS, Parts())().decode()
    families = {family.name: family.samples for family in text_string_to_metric_families(text)}
    assert families["process_resident_memory_bytes"][0].value > 1_000_000
    assert "process_cpu_seconds" in families


def test_two_services_of_one_process_do_not_mix() -> None:
    """Tests run several in one; the library's global registry would hold both."""
    first, second = Exposition("one", METRICS, Parts(stored=1)), Exposition("two", METRICS, Parts(stored=2))
    assert b"chargebench_two" not in first()
    assert b"chargebench_one" not in second()
