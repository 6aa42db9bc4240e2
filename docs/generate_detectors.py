"""Write the table of docs/detectors.md, below its mark, from the detectors' own declarations.

Example: python docs/generate_detectors.py --check
"""

import ast
import dataclasses
import inspect
import itertools
import sys
from pathlib import Path

from generated import run

from memorybank.detector import AnyDetector
from memorybank.detector_configuration import LAYERS
from memorybank.detectors import found

PAGE = Path(__file__).parent / "detectors.md"

MARK = "<!-- What follows is made by docs/generate_detectors.py; a test checks that it is up to date. -->"


def meanings(detector: AnyDetector) -> dict[str, str]:
    """Return what the docstring below each field says."""
    tree = ast.parse(inspect.getsource(type(detector)))
    body = [line for declared in tree.body if isinstance(declared, ast.ClassDef) for line in declared.body]
    found_by_name = {}
    for field, doc in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(doc, ast.Expr)
            and isinstance(doc.value, ast.Constant)
        ):
            found_by_name[field.target.id] = " ".join(str(doc.value.value).split()).replace("|", "\\|")
    return found_by_name


def _section(detector: AnyDetector) -> list[str]:
    module = inspect.getmodule(type(detector))
    doc = " ".join((inspect.getdoc(module) or "").split())
    takes = ", ".join(f"`{kind.__name__}`" for kind in detector.takes)
    place = {"connector": "each connector", "charge_point": "each charge point", "fleet": "the fleet"}
    lines = [f"### `{detector.name}`", "", doc, "", f"Watches {place[detector.scope]}; takes {takes}.", ""]
    fields = dataclasses.fields(detector)  # type: ignore[arg-type]
    if fields:
        lines += ["| Threshold | Default | Meaning |", "|---|---|---|"]
        said = meanings(detector)
        lines += [
            f"| `{field.name}` | `{getattr(detector, field.name)}` | {said[field.name]} |" for field in fields
        ]
        lines.append("")
    return lines


def page() -> str:
    """Return the whole page: the words that stand in it, and the tables anew."""
    words, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    lines = [MARK, ""]
    for layer in LAYERS:
        of_layer = [detector for detector in found() if detector.layer == layer]
        lines += [f"## Layer {layer}", ""] if of_layer else []
        lines += [line for detector in of_layer for line in _section(detector)]
    return words + "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(run(__doc__, PAGE, page))
