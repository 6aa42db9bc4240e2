"""A service's /metrics as Prometheus reads it."""

import urllib.error
import urllib.request
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from real_parts import wait_until


@dataclass(frozen=True)
class Metrics:
    """Where one service tells; names go without `chargebench_<service>_`."""

    service: str
    port: int

    def text(self) -> str:
        """Return what is told; "" while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{error.code}: {error.read()!r}") from None
        except OSError:
            return ""

    def read(self) -> dict[str, float]:
        """Return every sample, as `name` or `name{label=value}`."""
        return samples(self.service, self.text())

    def wait(self, sample: str, least: float, timeout_s: float = 60.0) -> dict[str, float]:
        """Wait until a sample is at least so much; return what was told then."""
        found: dict[str, float] = {}

        def is_there() -> bool:
            nonlocal found
            found = self.read()
            return found.get(sample, -1.0) >= least

        wait_until(is_there, timeout_s=timeout_s, what=f"{sample} >= {least:g}, last of {found}")
        return found


def samples(service: str, text: str) -> dict[str, float]:
    """Return the samples of a service; no series stands in the text twice."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            key = sample.name.removeprefix(f"chargebench_{service}_") + (f"{{{labels}}}" if labels else "")
            assert key not in found, key
            found[key] = sample.value
    return found
