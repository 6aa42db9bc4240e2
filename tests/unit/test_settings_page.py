"""docs/settings.md says what the services really read."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    """`make settings` writes it anew."""
    result = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate_settings.py", "--check"], check=False, timeout=60
    )
    assert result.returncode == 0


def test_every_declared_setting_is_on_the_page() -> None:
    """No service declares a setting in a class that the page does not know."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    declared = set()
    for path in (ROOT / "services").rglob("*.py"):
        declared |= set(re.findall(r"\bsetting\(\s*\"([A-Z_]+)\"", path.read_text(encoding="utf-8")))
    assert declared
    assert {name for name in declared if f"`{name}`" not in page} == set()
