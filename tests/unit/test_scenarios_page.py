"""docs/scenarios.md lists every scenario and mix as the files are, and its examples are files."""

import re
import subprocess
import sys
from pathlib import Path

from csms import mix_file, scenario_file

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scenarios.md"


def test_the_page_is_up_to_date() -> None:
    """`make settings` writes it anew."""
    result = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate_scenarios.py", "--check"], check=False, timeout=60
    )
    assert result.returncode == 0


def test_the_examples_are_a_mix_and_a_scenario(tmp_path: Path) -> None:
    """As they stand on the page, under the names that they have there."""
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    paths = [tmp_path / "mine.toml", tmp_path / "short-sessions.toml"]
    for path, example in zip(paths, examples, strict=True):
        path.write_text(example, encoding="utf-8")
    known, _ = scenario_file.load_directory(ROOT / "scenarios")
    assert mix_file.load(paths[0], known).pause_s != 0
    assert scenario_file.load(paths[1]).anomaly == "zero-energy-flood"
