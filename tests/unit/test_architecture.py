"""The house's rules, read off the imports: arrows point one way, cores stay pure, files stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"
PACKAGES = sorted(path.name for path in SERVICES.iterdir() if any(path.rglob("*.py")))
SHARED = {"contracts", "chassis"}
ABOVE_ALL = {"embedded", "lab"}
"""They may start or import every service; nothing imports them."""
MAX_LINES = 400
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "shared"}
DOING_IO = {
    "asyncio", "fcntl", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib.request",
    "can", "dns", "fastapi", "httpx", "paho", "psycopg", "requests", "uvicorn", "websockets",
}  # fmt: skip
ASKING_THE_CLOCK_OR_CHANCE = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input"}


def modules() -> Iterator[Path]:
    yield from sorted(SERVICES.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(SERVICES).parts[0]


def imports_of(path: Path) -> set[str]:
    """Return every module that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrows"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reaches(imported: str, names: set[str]) -> bool:
    """Return whether an imported module is one of `names` or lies below it."""
    return any(imported == name or imported.startswith(f"{name}.") for name in names)


def named(paths: Iterator[Path]) -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(SERVICES))) for path in paths]


def test_the_packages_are_found() -> None:
    """Or everything below would pass by looking at nothing."""
    assert set(PACKAGES) > SHARED


@pytest.mark.parametrize("path", named(modules()))
def test_services_import_only_contracts_and_chassis(path: Path) -> None:
    own = package_of(path)
    others = set(PACKAGES) - {own} - SHARED
    if own in ABOVE_ALL:
        others = ABOVE_ALL - {own}
    elif own == "contracts":
        others |= {"chassis"}
    assert {imported for imported in imports_of(path) if reaches(imported, others)} == set()


@pytest.mark.parametrize("path", named(path for path in modules() if package_of(path) == "contracts"))
def test_contracts_do_no_io(path: Path) -> None:
    """Nor ask a clock or chance: those are arguments."""
    assert {imported for imported in imports_of(path) if reaches(imported, DOING_IO)} == set()
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert called & ASKING_THE_CLOCK_OR_CHANCE == set()


@pytest.mark.parametrize("path", named(modules()))
def test_file_is_small_and_says_what_it_is(path: Path) -> None:
    """A name like `utils` says nothing; a file over the limit says too much."""
    parts = path.relative_to(SERVICES).with_suffix("").parts
    assert not VAGUE_NAMES & set(parts)
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), "every module says in one line what it is for"


def test_grafana_api_stands_behind_one_seam() -> None:
    """So that its successor is a change of one file (docs/decisions.md)."""
    root = SERVICES.parent
    everywhere = [*modules(), *(root / "grafana").glob("*.py"), *(root / "tests").rglob("*.py")]
    users = {path for path in everywhere if any(reaches(name, {"grafana_api"}) for name in imports_of(path))}
    assert users == {SERVICES / "chassis" / "grafana_link.py"}
