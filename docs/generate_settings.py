"""Write docs/settings.md from the services' own declarations.

Example: python docs/generate_settings.py --check
"""

import dataclasses
import importlib
import sys
import types
import typing
from pathlib import Path
from typing import Any

from generated import run

PAGE = Path(__file__).parent / "settings.md"

DECLARATIONS = {
    "Every service that publishes or listens on MQTT": "chassis.mqtt",
    "Every service with an HTTP port": "chassis.guard",
    "Charger": "charger.settings",
    "Charge point": "chargepoint.settings",
    "CSMS": "csms.settings",
    "MemoryBank": "memorybank.settings",
    "Console": "console.settings",
    "Injector": "lab.settings",
}

HEAD = """# Settings

Every service reads its settings once, at start, from environment variables; whatever is missing or wrong is
named, all at once, and the service ends with status 2. A variable that is empty counts as not given. A secret
`X` may also be given as a file named by `X_FILE`. Two are understood by all: `LOG_LEVEL` (default INFO), and
`ALIVE_FILE`, a file that the service touches every second, for health checks. This page
is made by `docs/generate_settings.py` from the declarations; a test checks that it is up to date.
"""


def _rows(kind: type[Any]) -> list[str]:
    hints = typing.get_type_hints(kind)
    rows = []
    for field in dataclasses.fields(kind):
        if "env" not in field.metadata:
            continue
        if field.default is dataclasses.MISSING:
            default = "*must be given*"
        elif field.default is None or field.default in ("", ()):
            default = ""
        else:
            default = f"`{field.default}`"
        hint = hints[field.name]
        if isinstance(hint, types.UnionType):
            hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
        name = "list" if typing.get_origin(hint) is tuple else hint.__name__
        doc = " ".join(field.metadata["doc"].split()).replace("|", "\\|")
        secret = " **Secret.**" if field.metadata["secret"] else ""
        rows.append(f"| `{field.metadata['env']}` | {name} | {default} | {doc}.{secret} |")
    return rows


def _declared_in(module: str) -> list[type[Any]]:
    """Return the dataclasses of settings that a module itself declares."""
    return [
        kind
        for kind in vars(importlib.import_module(module)).values()
        if isinstance(kind, type)
        and kind.__module__ == module
        and dataclasses.is_dataclass(kind)
        and any("env" in field.metadata for field in dataclasses.fields(kind))
    ]


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for title, module in DECLARATIONS.items():
        rows = [row for kind in _declared_in(module) for row in _rows(kind)]
        header = ["| Variable | Type | Default | What it is |", "|---|---|---|---|"]
        parts += [f"\n## {title}\n", *header, *rows]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(run(__doc__, PAGE, page))
