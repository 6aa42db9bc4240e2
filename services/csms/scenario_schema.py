"""The JSON schemas of scenario and mix files, for editors. `python -m csms.scenario_schema` writes them."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from contracts.injections import AnyInjection
from csms.mix import Mix
from csms.mix_file import MIXES
from csms.scenario import Scenario

_TITLE = "A ChargeBench scenario (docs/scenarios.md)"
_MIX_TITLE = "A ChargeBench mix of scenarios (docs/scenarios.md)"


def text() -> str:
    """Return the schema: that of the types, with what the file says in other words than they do."""
    (scenario, injections), parts = msgspec.json.schema_components(
        [Scenario, AnyInjection], ref_template="#/$defs/{name}"
    )
    del scenario
    whole = parts["Scenario"]
    whole["properties"]["anomaly"] = {"type": "string", "description": 'What it provokes, or "none"'}
    whole["properties"]["repeat"] = {"anyOf": [{"const": "forever"}, {"type": "integer", "minimum": 1}]}
    # A file without parameters has no such table.
    whole["required"] = [name for name in whole["required"] if name != "parameters"]
    whole["title"] = _TITLE
    step = parts["Inject"]["properties"]
    step["fault"] = {"enum": sorted(injections["discriminator"]["mapping"])}
    return _schema(whole, {name: part for name, part in parts.items() if name != "Scenario"})


def mix_text() -> str:
    """Return the schema of mix files."""
    _, parts = msgspec.json.schema_components([Mix], ref_template="#/$defs/{name}")
    whole = parts.pop("Mix")
    whole["title"] = _MIX_TITLE
    return _schema(whole, parts)


def _schema(whole: dict[str, Any], parts: dict[str, Any]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "$defs": dict(sorted(parts.items())),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the files."""
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "scenarios")
    (directory / "schema.json").write_text(text(), encoding="utf-8")
    (directory / MIXES / "schema.json").write_text(mix_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
