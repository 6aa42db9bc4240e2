"""Where the console is, and the MemoryBank beside it: as given, of a bench in a folder, or here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from chassis import settings
from chassis.bench_home import usual_home
from chassis.guard import HttpSettings

_USUAL_PORT = "8080"
_USER = "top"


class NoSuchPlace(Exception):  # noqa: N818 - named after what is wrong
    """Nothing is there to look at; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses with the password that they need; `memorybank` None: its rates are not known."""

    console: httpx.URL
    memorybank: httpx.URL | None = None

    @property
    def shown(self) -> str:
        """The console's address as it may be shown: without a password."""
        return str(self.console.copy_with(username=None, password=None)).rstrip("/")


def find(url: str | None, home: Path | None, environ: Mapping[str, str], folder: Path) -> Place:
    """Return where to look: `url`, else the bench in `home`, else one in `folder`, else this machine's own.

    The last takes port, password and MemoryBank from the environment, as the console itself does: so it is
    found from inside its container. Raises NoSuchPlace.
    """
    if url is not None:
        return Place(address(url))
    if home is not None:
        return _of_bench(folder / home)
    usual = folder / usual_home(environ)
    if (usual / "bench.json").exists():
        return _of_bench(usual)
    console = address(f"http://127.0.0.1:{environ.get('CONSOLE_PORT') or _USUAL_PORT}")
    try:
        password = settings.read(HttpSettings, environ).password
    except settings.SettingsError as error:
        raise NoSuchPlace(str(error)) from error
    if password:
        console = console.copy_with(username=_USER, password=password)
    memorybank = environ.get("MEMORYBANK_API_URL")
    return Place(console, address(memorybank) if memorybank else None)


def _of_bench(home: Path) -> Place:
    return Place(*bench_addresses(home, "console", "memorybank_api"))


def bench_addresses(home: Path, *names: str) -> tuple[httpx.URL, ...]:
    """Return what the bench in a folder tells of itself, by its names; raise NoSuchPlace."""
    file = home / "bench.json"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
        return tuple(address(described[name]) for name in names)
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchPlace(f"no bench runs in {home}: there is no {file}; start one, or give --url") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoSuchPlace(f"{file} cannot be read: {error}") from error


def address(text: str) -> httpx.URL:
    """Return the address that a text is; raise NoSuchPlace."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise NoSuchPlace(f"{text!r} is no address: {error}") from error
    is_port = url.port is None or 1 <= url.port <= 65535
    if url.scheme not in ("http", "https") or not url.host or not is_port:
        raise NoSuchPlace(f"{text!r} is no address like http://127.0.0.1:8080")
    return url
