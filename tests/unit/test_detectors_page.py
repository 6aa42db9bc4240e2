"""docs/detectors.md says which detectors there are, and its example is one."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.events import Reading
from memorybank.watch import Watch

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "detectors.md"


def test_the_page_is_up_to_date() -> None:
    """`python docs/generate_detectors.py` writes it anew."""
    result = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate_detectors.py", "--check"], check=False, timeout=60
    )
    assert result.returncode == 0


def test_the_example_detects() -> None:
    """As it stands on the page."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, Any] = {"__name__": "heat"}
    exec(compile(example, "detectors.md", "exec"), module)
    watch = Watch((module["DETECTOR"],))
    hot = Reading(
        at=datetime(2026, 3, 1, tzinfo=UTC),
        charge_point_id="CP-1",
        connector=1,
        origin="can",
        temperature_c=95.0,
    )
    (finding,) = watch.observe(hot, 0.0)
    assert finding.anomaly.kind == "overheating"
    assert finding.anomaly.explanation.startswith("95 °C, and 90 °C is the limit; ")
