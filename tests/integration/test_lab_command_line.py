"""`chargebench replay` and `chargebench score`, as people type them, on small life."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import can
import pytest

from contracts import can_frames
from contracts.can_frames import Output
from real_parts import Postgres
from remembered import remember

ROOT = Path(__file__).parents[2]
SWING = "repeated-current-fluctuation"
SWINGS = shlex.join([sys.executable, "docs/examples/swings.py"])


def chargebench(*arguments: str, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chargebench", *arguments],
        capture_output=True, text=True, timeout=timeout_s, cwd=ROOT, check=False,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip


@pytest.fixture
def swinging_log(tmp_path: Path) -> Path:
    """Three minutes on a bus whose current swings between 0 and 99 A every 8 s."""
    path = tmp_path / "bus.log"
    with can.Logger(path) as log:
        for second in range(180):
            current_a = 99.0 if second % 8 < 3 else 0.0
            for frame in (Output(current_a, 390.0, 100.0), can_frames.reading(current_a)):
                can_id, data = can_frames.encode(frame)
                log(
                    can.Message(
                        timestamp=1_800_000_000 + second,
                        arbitration_id=can_id,
                        data=data,
                        is_extended_id=False,
                    )
                )
    return path


def test_a_can_log_is_replayed(swinging_log: Path) -> None:
    done = chargebench("replay", str(swinging_log))
    assert done.returncode == 0, done.stderr
    assert SWING in done.stdout
    assert "LOG-0" in done.stdout


def test_another_configuration_tells_something_else(swinging_log: Path, tmp_path: Path) -> None:
    """Every change as a line of JSON; with the layer off there is none."""
    told = chargebench("replay", str(swinging_log), "--json").stdout.splitlines()
    assert {json.loads(line)["phase"] for line in told if SWING in line} == {"opened", "updated"}
    configuration = tmp_path / "off.toml"
    configuration.write_text('layers = ["consistency"]\n', encoding="utf-8")
    assert (
        SWING
        not in chargebench("replay", str(swinging_log), "--detectors", str(configuration), "--json").stdout
    )


def test_the_memory_is_replayed(postgres: Postgres) -> None:
    asyncio.run(remember(postgres.writer_url))
    done = chargebench("replay", "--database", postgres.reader_url)
    assert done.returncode == 0, done.stderr
    assert SWING in done.stdout


def test_a_data_set_is_replayed_beside_its_truth(tmp_path: Path) -> None:
    """What the detectors of sessions and currents find, what needs frames, and a set without its truth."""
    out = tmp_path / "set"
    made = chargebench(
        "simulate", "--charge-points", "2", "--days", "0.4", "--workers", "1", "--seed", "5",
        "--mix", f"{SWING},can-flood", "--every-hours", "2", "--run-seconds", "90", "--out", str(out),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    done = chargebench("replay", str(out))
    assert done.returncode == 0, done.stderr
    heading, *lines = done.stdout.splitlines()
    assert heading.split("\t")[-4:] == ["truth", "run's start (UTC)", "verdict", "why"]
    found = [line.split("\t") for line in lines if f"\t{SWING}\t" in line]
    assert {(line[5], line[7]) for line in found} == {(SWING, "found")}
    missed = [
        line.split("\t")[1]
        for line in lines[lines.index("run's start (UTC)\tscenario\ton\tlasted") + 1 :]
        if "\t" in line
    ]
    assert set(missed) == {"can-flood"}
    assert f"of {len(found) + len(missed)} provoked runs {len(found)} found, {len(missed)} not" in lines[-2]
    assert "`simulate --wire` keeps them" in lines[-1]
    (out / "labels.parquet").unlink()
    without = chargebench("replay", str(out)).stdout
    assert re.search(r"^\d+ anomal(y|ies) in [\d,]+ events$", without, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["replay", "nowhere.asc"], "nowhere.asc: there is no such file or directory"),
        (["replay", "nowhere"], "nowhere: there is no such file or directory"),
        (["replay", "--detectors", "missing.toml"], "missing.toml"),
        (["score", "--only", "no-such"], "no scenario no-such; there are"),
        (["score", "--spread", "0.5"], "--spread 0.5: a factor is at least 1"),
    ],
)
def test_what_is_not_there_is_named(arguments: list[str], complaint: str) -> None:
    done = chargebench(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


def test_a_scenario_is_scored_beside_the_baselines(tmp_path: Path) -> None:
    """Small, and whole: table, JSON, page, picture; ours finds the swing, and chance does not do better."""
    done = chargebench(
        "score", "--only", SWING, "--events", "2", "--benign-days", "0.2", "--calibration-days", "0.1",
        "--seeds-from", "100", "--workers", "1", "--quick", "--out", str(tmp_path), "--detector", SWINGS,
        "--pace-runs", "1", timeout_s=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    score = json.loads((tmp_path / "score.json").read_text(encoding="utf-8"))
    (row,) = score["rows"]
    assert (row["scenario"], row["events"], row["detected"]) == (SWING, 2, 2)
    assert "3 of 3 stretches after" in done.stdout
    assert "56 of 56 paces after" in done.stdout
    assert set(row["baselines"]) == set(score["baselines"])
    assert score["complaints"] == {}
    assert row["foreign"][SWINGS]["detected"] == row["foreign"][SWINGS]["named"] == 2
    assert row["recall_interval"][0] < 1.0
    assert score["made"]["configuration"] in (tmp_path / "score.html").read_text(encoding="utf-8")
    assert (tmp_path / "score.svg").read_text(encoding="utf-8").startswith("<svg")
    assert SWING in (tmp_path / "score.md").read_text(encoding="utf-8")
