"""`chargebench`: every command of the table has who performs it, and nonsense is told kindly."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chargebench.__main__ import COMMANDS, Command, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_who_performs_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each tells of itself, by its full name and with an example."""
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(COMMANDS[name].module).main([name, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert f"chargebench {name}" in told
    assert "Example" in told


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in COMMANDS)


@pytest.mark.parametrize("line", [[], ["simulat"]])
def test_nonsense_ends_with_status_2(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 2
    assert "chargebench" in capsys.readouterr().err


def test_ctrl_c_while_a_command_loads_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_to_load.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(COMMANDS, "slow", Command("slow_to_load", ""))
    assert main(["slow"]) == 130


# Run where only what `make demo` installs can be imported; the rest is as if it were not there.
WITH_DEMO_ONLY = """
import importlib.metadata, runpy, sys

def normalised(name):
    return name.lower().replace("_", "-").replace(".", "-")

class Missing:
    names = {
        module
        for module, brought_by in importlib.metadata.packages_distributions().items()
        if not {normalised(name) for name in brought_by} & {"chargebench", *sys.argv[1].split()}
    }

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

assert "scipy" in Missing.names and "rich" not in Missing.names
sys.meta_path.insert(0, Missing())
from chargebench.__main__ import main

for line in sys.argv[2:]:
    try:
        status = main(line.split())
    except SystemExit as ended:
        status = ended.code
    assert status == (0 if "--help" in line else 2), line
"""
SCENARIO_COMMANDS = ("list", "show", "run", "stop", "runs", "compare", "export")


def run_with_demo_only(*lines: str) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, "deploy/lock_subset.py", "demo"],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    demo = " ".join(re.findall(r"^([A-Za-z0-9._-]+)(?:\[\S+\])?==", ran.stdout, re.MULTILINE))
    return subprocess.run(
        [sys.executable, "-c", WITH_DEMO_ONLY, demo.lower(), *lines],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=120,
    )  # fmt: skip


def test_every_help_needs_no_more_than_the_demo() -> None:
    helps = [
        *(f"{name} --help" for name in COMMANDS),
        *(f"scenario {name} --help" for name in SCENARIO_COMMANDS),
    ]
    done = run_with_demo_only(*helps)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_needs_more_says_so_at_once() -> None:
    """Not after an hour of simulation."""
    done = run_with_demo_only("score", "score --quick --memory")
    assert (done.returncode, done.stdout) == (0, "")
    told = (
        "chargebench score: scipy is not installed; pip install 'chargebench[score]', "
        "or in the source tree: make .venv/dev, which make score does first"
    )
    assert done.stderr.splitlines() == [told, told]


def test_a_command_whose_libraries_are_missing_names_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the image of one service."""

    def without(module: str) -> None:
        raise ModuleNotFoundError(f"No module named {module}", name="arro3")

    monkeypatch.setattr(importlib, "import_module", without)
    assert main(["simulate"]) == 2
    assert (
        "chargebench simulate: arro3 is not installed; pip install 'chargebench[embedded]'"
        in capsys.readouterr().err
    )
