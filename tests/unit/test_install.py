"""What `deploy/install.py` makes of pip: how far it is, and pip's own exit status and error."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "install.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


install = load()


def test_packages_are_counted_however_pip_passes_over_them() -> None:
    lines = [
        "Collecting anyio==4.16.0 (from -r demo.txt (line 7))",
        "  Downloading anyio-4.16.0-py3-none-any.whl (110 kB)",
        "Ignoring colorama: markers 'sys_platform == \"win32\"' don't match your environment",
        "Requirement already satisfied: idna==3.11 in ./lib (from -r demo.txt (line 20)) (3.11)",
        "Installing collected packages: anyio",
        "Successfully installed anyio-4.16.0",
    ]
    assert list(install.told(lines, 3)) == [
        (1, "1 of 3 packages: anyio"),
        (2, "2 of 3 packages: colorama"),
        (3, "3 of 3 packages: idna"),
        (0, "3 of 3 packages fetched; installing them"),
    ]


def test_a_refusal_of_pip_is_passed_on(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("no-such-package==1.0\n", encoding="utf-8")  # and no hash
    ran = subprocess.run(
        [sys.executable, SCRIPT, requirements, "--no-deps", "--no-index"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1
    assert "ERROR" in ran.stderr
    assert "no-such-package" in ran.stderr
