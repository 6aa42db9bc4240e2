"""What kustomize makes of deploy/kubernetes, where it is not installed: those of its fields that stand there.

Any other field is an error. Names of generated maps keep no hash of their content. Where kubectl is there,
a test compares the two.
"""

import base64
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

FIELDS = {
    "apiVersion", "kind", "namespace", "resources", "components", "labels", "configMapGenerator",
    "secretGenerator", "replicas", "patches",
}  # fmt: skip
_CLUSTER_WIDE = {"Namespace"}


def rendered(folder: Path) -> list[Document]:
    """Return the documents of an overlay. Raises ValueError for a field that is not known here."""
    documents: list[Document] = []
    _add(folder, documents)
    return documents


def _add(folder: Path, documents: list[Document]) -> None:
    """Add what a folder gives; a component changes what is there already."""
    said = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := said.keys() - FIELDS:
        raise ValueError(f"{folder}/kustomization.yaml: {', '.join(sorted(unknown))} is not rendered here")
    begun = len(documents)
    for resource in said.get("resources", []):
        if (folder / resource).is_dir():
            _add(folder / resource, documents)
        else:
            documents += yaml.safe_load_all((folder / resource).read_text())
    for component in said.get("components", []):
        _add(folder / component, documents)
    for entry in said.get("configMapGenerator", []):
        _generate(folder, "ConfigMap", entry, documents)
    for entry in said.get("secretGenerator", []):
        _generate(folder, "Secret", entry, documents)
    for patch in said.get("patches", []):
        _patch(folder, patch, documents)
    for document in documents[begun:]:
        _transform(document, said)


def _generate(folder: Path, kind: str, entry: Document, documents: list[Document]) -> None:
    data = dict(literal.split("=", 1) for literal in entry.get("literals", []))
    for file in entry.get("files", []):
        name, _, path = file.rpartition("=")
        data[name or Path(path).name] = (folder / path).read_text()
    if kind == "Secret":
        data = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    if entry.get("behavior") == "merge":
        (known,) = (
            one for one in documents if (one["kind"], one["metadata"]["name"]) == (kind, entry["name"])
        )
        known["data"] |= data
        return
    made = {"apiVersion": "v1", "kind": kind, "metadata": {"name": entry["name"]}, "data": data}
    documents.append(made | ({"type": "Opaque"} if kind == "Secret" else {}))


def _patch(folder: Path, patch: Document, documents: list[Document]) -> None:
    """Merge a file into the document that is its target."""
    (target,) = (
        one for one in documents if patch["target"] == {"kind": one["kind"], "name": one["metadata"]["name"]}
    )
    _merge(target, yaml.safe_load((folder / patch["path"]).read_text()))


def _merge(known: Document, said: Document) -> None:
    """Change what is said, map in map; entries of a list are known by their names, as those of a pod are."""
    for key, value in said.items():
        match known.get(key), value:
            case dict() as part, dict():
                _merge(part, value)
            case list() as entries, list():
                named = {entry["name"]: entry for entry in entries}
                for entry in value:
                    _merge(named[entry["name"]], entry)
            case _:
                known[key] = value


def _transform(document: Document, said: Document) -> None:
    """Give a document what its kustomization says of all, and of the replicas of some."""
    for label in said.get("labels", []):
        _label(document, label)
    if "namespace" in said and document["kind"] not in _CLUSTER_WIDE:
        document["metadata"]["namespace"] = said["namespace"]
    for replicas in said.get("replicas", []):
        if document["metadata"]["name"] == replicas["name"] and "replicas" in document.get("spec", {}):
            document["spec"]["replicas"] = replicas["count"]


def _label(document: Document, label: Document) -> None:
    labelled = [document]
    if label.get("includeTemplates"):
        spec = document.get("spec", {})
        labelled += [spec["template"]] if "template" in spec else []
        labelled += spec.get("volumeClaimTemplates", [])
    for one in labelled:
        one["metadata"].setdefault("labels", {}).update(label["pairs"])
