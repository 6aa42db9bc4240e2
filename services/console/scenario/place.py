"""Where the CSMS and the MemoryBank are, and the token for what changes anything there."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from chassis import settings
from chassis.bench_home import usual_home
from chassis.guard import HttpSettings
from chassis.settings import SettingsError, group
from console.settings import ApiSettings
from console.top.place import NoSuchPlace, address, bench_addresses


class NoSuchThing(Exception):  # noqa: N818 - named after what is wrong
    """What was asked for is not there, or not to be told from another; the text says which."""


@dataclass(frozen=True, slots=True)
class Place:
    """Two addresses, which may carry a password, and the CSMS's token; None: nothing can be changed."""

    csms: str
    memorybank: str
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Environment:
    http: HttpSettings = group(HttpSettings)
    apis: ApiSettings = group(ApiSettings)


def find(url: str | None, home: Path | None, environ: Mapping[str, str], folder: Path) -> Place:
    """Return the bench in `home`, else the one in `folder`, else what the environment names; `url`: its CSMS.

    Raises NoSuchPlace.
    """
    usual = folder / usual_home(environ)
    if home is not None:
        return _of_bench(folder / home)
    if url is None and (usual / "bench.json").exists():
        return _of_bench(usual)
    try:
        read = settings.read(_Environment, environ)
    except SettingsError as error:
        raise NoSuchPlace(str(error)) from error
    named = Place(
        read.apis.csms_api_url, read.apis.memorybank_api_url, read.apis.csms_api_token or read.http.token
    )
    return named if url is None else replace(named, csms=str(address(url)))


def _of_bench(home: Path) -> Place:
    csms, memorybank = bench_addresses(home, "csms_api", "memorybank_api")
    try:
        token = (home / "token").read_text(encoding="utf-8").strip()
    except OSError:
        token = None  # another user's bench can still be looked at
    return Place(str(csms), str(memorybank), token)
