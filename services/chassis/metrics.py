"""Metrics for Prometheus: declared as a table, read off a service's parts when somebody asks.

No service counts for the metrics' sake: its parts keep plain numbers, and each row of its table says where
one is found. A label takes declared values only, so no peer's name or number can make series without end.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

P = TypeVar("P")

Number: TypeAlias = float | None
"""None: not known (yet); the sample is left out."""

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""One format for everybody: what a header asks for decides nothing here."""


@dataclass(frozen=True, slots=True)
class Metric(Generic[P]):
    """A row of the table: `read` takes the service's parts and returns the value.

    `name` goes without `chargebench_<service>_`; one that ends in `_total` is a counter, every other a gauge.
    Where there is a `label`, `read` returns a number for each of its `values`; others are not told.
    """

    name: str
    doc: str
    read: "Callable[[P], Number | Mapping[str, Number]]"
    label: str = ""
    values: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        """Prometheus's type."""
        return "counter" if self.name.endswith("_total") else "gauge"

    def samples(self, parts: P) -> dict[str, float]:
        """Return what is known now, by the label's value ("" where there is no label)."""
        told = self.read(parts)
        numbers = told if isinstance(told, Mapping) else {"": told}
        return {
            value: float(number)
            for value in self.values or ("",)
            if (number := numbers.get(value)) is not None
        }


class Exposition(Collector, Generic[P]):
    """What one process tells: the metrics of its service, who it is, and what it takes of the machine.

    `identity` are labels of `chargebench_<service>_info`: the process's own name, nobody else's.
    """

    def __init__(
        self, service: str, metrics: Iterable[Metric[P]], parts: P, identity: Mapping[str, str] | None = None
    ) -> None:
        self._prefix = f"chargebench_{service}_"
        self._metrics = tuple(metrics)
        self._parts = parts
        self._identity = dict(identity or {})
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def __call__(self) -> bytes:
        """Return everything in Prometheus's text format (CONTENT_TYPE); call it in the parts' own thread."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Family]:
        """Return nothing: the registry need not read values only to learn names."""
        return ()

    def collect(self) -> Iterable[Family]:
        """Return what is known now."""
        if self._identity:
            yield InfoMetricFamily(f"{self._prefix.rstrip('_')}", "Which process this is.", self._identity)
        for metric in self._metrics:
            family_kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            labels = [metric.label] if metric.label else []
            family = family_kind(self._prefix + metric.name, metric.doc, labels=labels)
            for value, number in metric.samples(self._parts).items():
                family.add_metric([value] if metric.label else [], number)
            yield family
