"""`run`: a scenario, several in sequence, or a mix, started and watched to the end."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from chassis.screen import Screen
from console.answers import MixRun, ScenarioRun
from console.apis import ApiRefused
from console.scenario import words
from console.scenario.following import Progress, follow, interrupted
from console.scenario.lab_link import LabLink
from console.scenario.place import NoSuchThing

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130

R = TypeVar("R", ScenarioRun, MixRun)


async def run(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    """Do it; return the exit status."""
    wish = {
        "charge_point_ids": await _chosen(link, asked),
        "seed": asked.seed,
        "replace": asked.replace,
        "lasts_s": asked.lasts_s,
    }
    progress = Progress(silent=asked.json)
    if asked.mix is None and len(asked.scenarios) == 1:
        (name,) = asked.scenarios
        await link.scenario(name)  # a name mistyped is told with what was meant
        wish |= {"scenario": name, "parameters": dict(asked.set)}

        def tell(run: ScenarioRun) -> None:
            progress.tell(words.run_line(run, datetime.now(UTC)), (run.state, run.cycles, run.reason))

        return await _watched(
            lambda: link.start(wish),
            lambda run: link.run(run.run_id),
            lambda run: link.stop(run.run_id),
            tell, progress, screen, asked,
        )  # fmt: skip
    wish |= {"count": asked.count, **await _mix(link, asked)}

    def tell_mix(run: MixRun) -> None:
        progress.tell(words.mix_line(run, datetime.now(UTC)), (run.state, run.runs, run.reason))

    return await _watched(
        lambda: link.start_mix(wish),
        lambda run: link.mix_run(run.mix_run_id),
        lambda run: link.stop_mix(run.mix_run_id),
        tell_mix, progress, screen, asked,
    )  # fmt: skip


async def _watched(
    start: Callable[[], Awaitable[R]],
    ask: Callable[[R], Awaitable[R]],
    end: Callable[[R], Awaitable[R]],
    tell: Callable[[R], None],
    progress: Progress,
    screen: Screen,
    asked: argparse.Namespace,
) -> int:
    with interrupted() as stop:
        try:
            run = await start()
        except ApiRefused as error:
            detail = words.refusal(error.status, error.detail, replaces=asked.replace)
            raise ApiRefused(error.status, detail) from error
        _tell_json(screen, asked, run)
        if asked.detach:
            screen.line(f"run {words.short_id(run)}: {words.name(run)} on {words.where(run)}")
            return 0
        begun = run
        try:
            run = await follow(run, lambda: ask(begun), lambda: end(begun), stop, tell)
        finally:
            progress.over()
        _tell_json(screen, asked, run)
    undone = "; what it did is undone" if stop.is_set() else ""
    screen.line(f"run {words.short_id(run)} {run.state}: {run.reason or words.name(run)}{undone}")
    if stop.is_set():
        return EXIT_INTERRUPTED
    return EXIT_FAILED if run.state == "failed" else 0


def _tell_json(screen: Screen, asked: argparse.Namespace, run: ScenarioRun | MixRun) -> None:
    if asked.json:
        screen.objects([msgspec.to_builtins(run)])


async def _chosen(link: LabLink, asked: argparse.Namespace) -> list[str]:
    if not asked.all:
        return list(asked.on)
    ids = [one.charge_point_id for one in await link.charge_points() if one.enrolled and one.connected]
    if not ids:
        raise NoSuchThing("no charge point of the bench's own is connected")
    return ids


async def _mix(link: LabLink, asked: argparse.Namespace) -> dict[str, Any]:
    """Return what names the mix to the CSMS: its name there, or the text of a file or of the sequence."""
    if asked.mix is None:
        scenarios = [await link.scenario(name) for name in asked.scenarios]
        return {
            "toml": words.sequence_text(scenarios, dict(asked.set), asked.pause_s),
            "file_name": "sequence",
        }
    if not asked.mix.endswith(".toml"):
        return {"mix": (await link.mix(asked.mix)).name}  # a name mistyped is told with those there are
    path = Path(asked.mix)
    try:
        text = await asyncio.to_thread(path.read_text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(mix.name for mix in await link.mixes()) or "none"
        reason = getattr(error, "strerror", None) or error
        raise NoSuchThing(f"{path}: {reason}; by name there are {known}") from error
    return {"toml": text, "file_name": path.name}
