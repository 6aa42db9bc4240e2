"""The manifests of deploy/kubernetes as kustomize renders them, and what stands in them."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import kustomized

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("development", "production")
NAME = "app.kubernetes.io/name"
POD_INDEX = "metadata.labels['apps.kubernetes.io/pod-index']"
GENERATED = {"ConfigMap", "Secret"}
WORKLOADS = {"StatefulSet", "Deployment", "Job"}

Document = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Document, ...]:
    """Return the documents of an overlay."""
    return tuple(kustomized.rendered(FOLDER / overlay))


def rendered_by_kubectl(overlay: str) -> list[Document]:
    """Return what kustomize itself makes of an overlay, generated maps without the hash in their names."""
    command = ["kubectl", "kustomize", FOLDER / overlay]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    text = told.stdout
    for document in yaml.safe_load_all(text):
        name = document["metadata"]["name"]
        if document["kind"] in GENERATED and (hashed := re.fullmatch(r"(.+)-[a-z0-9]{10}", name)):
            text = text.replace(name, hashed[1])
    return list(yaml.safe_load_all(text))


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods."""

    kind: str
    name: str
    spec: Document

    @property
    def pod(self) -> Document:
        return self.spec["template"]["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.spec["template"]["metadata"]["labels"]

    @property
    def containers(self) -> list[Document]:
        return self.pod["containers"]

    @property
    def replicas(self) -> int:
        return self.spec.get("replicas", 1)

    @property
    def indices(self) -> range:
        """The ordinals of its pods."""
        first = self.spec.get("ordinals", {}).get("start", 0)
        return range(first, first + self.replicas)

    def container(self, name: str) -> Document:
        return next(one for one in self.containers if one["name"] == name)


class Manifests:
    """An overlay, by kind and name."""

    def __init__(self, overlay: str) -> None:
        self.overlay = overlay
        self.documents = rendered(overlay)

    def of_kind(self, kind: str) -> list[Document]:
        return [document for document in self.documents if document["kind"] == kind]

    def named(self, kind: str) -> dict[str, Document]:
        return {document["metadata"]["name"]: document for document in self.of_kind(kind)}

    @property
    def workloads(self) -> list[Workload]:
        return [
            Workload(document["kind"], document["metadata"]["name"], document["spec"])
            for document in self.documents
            if document["kind"] in WORKLOADS
        ]

    def workload(self, name: str) -> Workload:
        return next(one for one in self.workloads if one.name == name)

    def secret_keys(self) -> dict[str, dict[str, str]]:
        """Return what the secrets hold; what an overlay expects to be there has development's keys."""
        found = {
            name: {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
            for name, secret in self.named("Secret").items()
        }
        if not found:
            (development,) = Manifests("development").secret_keys().values()
            found = {"chargebench": development}
        # The operator makes one for each cluster, where it is asked to.
        made = {f"{name}-superuser": {"password": "made"} for name in self.named("Cluster")}
        return found | made

    def environment(self, container: Document, index: int = 0) -> dict[str, str]:
        """Return a container's variables in its pod of that ordinal, references and `$(NAME)` resolved."""
        found: dict[str, str] = {}
        for entry in container.get("env", []):
            source = entry.get("valueFrom", {})
            match source:
                case {"configMapKeyRef": {"name": name, "key": key}}:
                    value = self.named("ConfigMap")[name]["data"][key]
                case {"secretKeyRef": {"name": name, "key": key}}:
                    value = self.secret_keys()[name][key]
                case {"fieldRef": {"fieldPath": path}}:
                    assert path == POD_INDEX
                    value = str(index)
                case _:
                    value = entry["value"]
            # As Kubernetes does: only variables that stand before.
            found[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda named: found[named[1]], value)
        return found

    def ports_of(self, service: str) -> set[int]:
        return {port["port"] for port in self.named("Service")[service]["spec"]["ports"]}


def selects(selector: Document, labels: dict[str, str]) -> bool:
    """Return whether a label selector has what is labelled so; an empty one has everything."""
    wanted = selector.get("matchLabels", {})
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def passages(manifests: Manifests) -> Iterator[tuple[str, str, int]]:
    """Yield (from, to, port) for every two workloads where both sides' policies let a connection pass."""
    policies = [policy["spec"] for policy in manifests.of_kind("NetworkPolicy")]

    def allowed(direction: str, own: Workload, other: Workload) -> set[int]:
        peers = {"ingress": "from", "egress": "to"}[direction]
        return {
            port["port"]
            for policy in policies
            if selects(policy["podSelector"], own.labels)
            for rule in policy.get(direction, [])
            for peer in rule.get(peers, [{"podSelector": {}}])
            if "namespaceSelector" not in peer and selects(peer["podSelector"], other.labels)
            for port in rule["ports"]
        }

    for source in manifests.workloads:
        for target in manifests.workloads:
            for port in allowed("egress", source, target) & allowed("ingress", target, source):
                yield source.name, target.name, port


def complaints(document: Document, version: str) -> list[str]:
    """Return what the official schema says against a document, unknown fields included."""
    import kubernetes_validate  # noqa: PLC0415 - a second to import

    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{document['kind']} {document['metadata']['name']}: {error.message}"]
    return []


if __name__ == "__main__":  # the rendered documents, for a look
    json.dump(rendered(sys.argv[1]), sys.stdout, indent=1)
