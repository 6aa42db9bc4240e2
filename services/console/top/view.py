"""What a person chose: the connector, the order, what is left out. `press(view, key, …) -> view`. Pure."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from console.top.messages import Key
from console.top.picture import Picture, by_connector, counting_order, present_a, status_of

MAX_SEARCH = 64


class Sort(enum.Enum):
    """By what the table is in order; the value is the word for it."""

    NAME = "name"
    CURRENT = "current"
    POWER = "power"
    STATUS = "status"
    ANOMALIES = "anomalies"

    @property
    def following(self) -> "Sort":
        """The next one, round and round."""
        every = list(Sort)
        return every[(every.index(self) + 1) % len(every)]


@dataclass(frozen=True, slots=True)
class View:
    """What is chosen now; `typing` while a search is typed, `ended` when it was enough."""

    selected: Key | None = None
    sort: Sort = Sort.NAME
    only_anomalies: bool = False
    search: str = ""
    typing: bool = False
    help: bool = False
    ended: bool = False


def listed(picture: Picture, view: View) -> list[Key]:
    """Return the connectors that are shown, in order."""
    anomalies = by_connector(picture)
    wanted = view.search.casefold()
    keys = [
        key
        for key, connector in picture.connectors.items()
        if (not view.only_anomalies or key in anomalies)
        and (wanted in key[0].casefold() or wanted in status_of(picture, connector).casefold())
    ]
    keys.sort(key=counting_order)
    connectors = picture.connectors
    match view.sort:
        case Sort.CURRENT:
            keys.sort(key=lambda key: -(present_a(connectors[key]) or 0.0))
        case Sort.POWER:
            keys.sort(key=lambda key: -(connectors[key].row.power_w or 0.0))
        case Sort.STATUS:
            keys.sort(key=lambda key: status_of(picture, connectors[key]))
        case Sort.ANOMALIES:
            keys.sort(key=lambda key: -len(anomalies.get(key, ())))
    return keys


def selected(view: View, keys: Sequence[Key]) -> Key | None:
    """Return the connector that is chosen: the first where the chosen one is not shown."""
    if view.selected is not None and view.selected in keys:
        return view.selected
    return keys[0] if keys else None


_CHOICES: dict[str, Callable[[View], View]] = {
    "q": lambda view: replace(view, ended=True),
    "?": lambda view: replace(view, help=True),
    "/": lambda view: replace(view, typing=True, search=""),
    "escape": lambda view: replace(view, search="", only_anomalies=False),
    "s": lambda view: replace(view, sort=view.sort.following),
    "a": lambda view: replace(view, only_anomalies=not view.only_anomalies),
}
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}
_PAGES = {"page up": -1, "page down": 1, " ": 1}


def press(view: View, key: str, keys: Sequence[Key], page: int) -> View:
    """Return the view after a key; `keys` are the connectors as they are shown, `page` how many at once."""
    if key == "ctrl-c":
        return replace(view, ended=True)
    if view.typing:
        return _type(view, key)
    if view.help:
        return replace(view, help=False, ended=key == "q")
    if (step := _steps(key, len(keys), page)) is not None:
        return _moved(view, keys, step)
    choice = _CHOICES.get(key)
    return view if choice is None else choice(view)


def _steps(key: str, count: int, page: int) -> int | None:
    if key in _STEPS:
        return _STEPS[key]
    if key in _PAGES:
        return _PAGES[key] * max(1, page)
    return {"home": -count, "g": -count, "end": count, "G": count}.get(key)


def _moved(view: View, keys: Sequence[Key], step: int) -> View:
    now = selected(view, keys)
    if now is None:
        return view
    return replace(view, selected=keys[max(0, min(len(keys) - 1, keys.index(now) + step))])


def _type(view: View, key: str) -> View:
    match key:
        case "enter":
            return replace(view, typing=False)
        case "escape":
            return replace(view, typing=False, search="")
        case "backspace":
            return replace(view, search=view.search[:-1])
    if len(key) == 1 and key.isprintable() and len(view.search) < MAX_SEARCH:
        return replace(view, search=view.search + key)
    return view
