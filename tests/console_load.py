"""A thousand charge points for a console, by one cheap process: leases, and modules' frames on their buses.

`python console_load.py --backplane-port 19999 --first-bus-port 20000 --seconds 60` in this folder, with
PYTHONPATH=../services where the bench is not installed; it ends by itself, or when its standard input does.
`console_load` starts it for a test or a bench.
"""

import argparse
import heapq
import json
import math
import os
import random
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from chassis.can_bus import GROUP, LOOPBACK
from contracts import backplane, can_frames
from contracts.backplane import Lease
from contracts.can_frames import Faults, Frame, Keepalive, ModuleState, Output, SetLimit, Status, Thermal
from embedded.ports import GUARD_PORT

SLOT_S = 0.01
WATCHED_GAP_S = (0.15, 0.35)
"""A watched charge point reads at moments that are drawn, so that no delay hides between two beats."""

_LIMIT_A = 100
_CYCLE_S = 8  # the base scenario: 0 A, 100 A, a start after 3 s, a stop after 5 s
_CHARGING_S = (3.0, 5.0)


@dataclass(frozen=True)
class Player:
    """A charge point and its module as they are heard: what they send is a function of time."""

    number: int

    @property
    def charge_point_id(self) -> str:
        return f"CP-{self.number}"

    @property
    def is_idle(self) -> bool:
        """Whether nothing is plugged in: every tenth."""
        return self.number % 10 == 0

    @property
    def fluctuates(self) -> bool:
        """Whether it lives the base scenario: CP-1, CP-3 …"""
        return self.number % 2 == 1

    @property
    def status(self) -> str:
        return "Available" if self.is_idle else "Charging"

    def current_a(self, at_s: float) -> float:
        """Return what its module gives at an instant."""
        if self.is_idle:
            return 0.0
        if not self.fluctuates:
            wave = math.sin(at_s * 0.7 + self.number) + 0.5 * math.sin(at_s * 2.3 + self.number)
            return round(10 + 6 * (self.number % 9) + 0.4 * wave, 2)
        start_s, stop_s = _CHARGING_S
        within_s = self._within_s(at_s)
        if within_s < start_s:
            return 0.0
        # A fifth of what is missing, every 0.1 s.
        rising = 1 - 0.8 ** (10 * (min(within_s, stop_s) - start_s))
        falling = 0.8 ** (10 * max(0.0, within_s - stop_s))
        return round(_LIMIT_A * rising * falling, 2)

    def frames(self, second: int, at_s: float) -> Iterator[Frame]:
        """Return what is on its bus in one second, 0x300 last."""
        current_a = self.current_a(at_s)
        state = ModuleState.CHARGING if current_a else ModuleState.IDLE
        yield Keepalive(second)
        if self.fluctuates and self._within_s(at_s) < 1:
            yield SetLimit(_LIMIT_A)
        yield Output(current_a, 400.0 - self.number % 7, float(_LIMIT_A))
        yield Status(state, current_a > 0, False, Faults.NONE, second, 12, 0)
        yield Thermal(25.0 + self.number % 20 + current_a / 20, 20.0 + self.number % 60)
        yield can_frames.reading(current_a)

    def _within_s(self, at_s: float) -> float:
        return (at_s + self.number) % _CYCLE_S


def datagram(frame: Frame, at_s: float) -> bytes:
    """Return a frame in python-can's wire format (can.interfaces.udp_multicast.utils.pack_message)."""
    can_id, data = can_frames.encode(frame)
    return msgpack.packb(
        {
            "timestamp": at_s,
            "arbitration_id": can_id,
            "is_extended_id": False,
            "is_remote_frame": False,
            "is_error_frame": False,
            "channel": None,
            "dlc": len(data),
            "data": data,
            "is_fd": False,
            "bitrate_switch": False,
            "error_state_indicator": False,
        }
    )


class _Sender:
    """One socket for all buses: where a datagram goes is said with each."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        self._socket.bind((LOOPBACK, 0))
        self.frames = 0

    def send(self, content: bytes, port: int) -> None:
        self._socket.sendto(content, (GROUP, port))

    def send_frame(self, frame: Frame, at_s: float, port: int) -> None:
        self.send(datagram(frame, at_s), port)
        self.frames += 1


def _play(asked: argparse.Namespace) -> dict[str, Any]:
    """Send until the time is up or standard input ends; return what was sent and what was missed."""
    sender, draw = _Sender(), random.Random(asked.seed)
    begun_s, begun_cpu_s = time.time(), time.process_time()
    end_s = begun_s + asked.seconds
    players = [Player(number) for number in range(1, asked.charge_points + 1)]
    leases = [
        backplane.encode(
            Lease(
                charge_point_id=player.charge_point_id,
                connector=1,
                bus_port=asked.first_bus_port + player.number - 1,
                charger_id="charger-1",
            )
        )
        for player in players
    ]
    # The fleet's second is spread evenly: each has its own moment in it.
    turns = [(begun_s + n / len(players), n) for n in range(len(players))]
    heapq.heapify(turns)
    watched_s = begun_s if asked.watch else math.inf
    told_s, missed = begun_s, 0
    while (now_s := time.time()) < end_s and not _input_ended():
        while turns[0][0] <= now_s:
            due_s, n = turns[0]
            # As a module does, one that was held up goes on and makes up for nothing.
            missed += int(now_s - due_s)
            heapq.heapreplace(turns, (due_s + 1 + int(now_s - due_s), n))
            player, port = players[n], asked.first_bus_port + n
            sender.send(leases[n], asked.backplane_port)
            for frame in player.frames(round(due_s - begun_s), now_s):
                if frame.can_id == can_frames.CURRENT_ID and player.number == asked.watch:
                    continue  # its readings come more often, below
                sender.send_frame(frame, now_s, port)
        if told_s <= now_s:
            told_s = now_s + 1
            print(json.dumps({"at_s": now_s, "frames": sender.frames, "missed": missed}), flush=True)
        if watched_s <= now_s:
            watched_s = now_s + draw.uniform(*WATCHED_GAP_S)
            _read_watched(sender, players[asked.watch - 1], asked.first_bus_port + asked.watch - 1)
        time.sleep(SLOT_S)
    took_s = time.time() - begun_s
    cpu_share = (time.process_time() - begun_cpu_s) / took_s
    return {"frames": sender.frames, "took_s": took_s, "missed": missed, "cpu_share": cpu_share}


def _read_watched(sender: _Sender, player: Player, port: int) -> None:
    """Send a watched charge point's reading and say when."""
    at_s = time.time()
    sender.send_frame(can_frames.reading(player.current_a(at_s)), at_s, port)
    print(json.dumps({"sent_at_s": at_s}), flush=True)


def _input_ended() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and not os.read(sys.stdin.fileno(), 4096)


def free_bus_ports(count: int) -> int:
    """Return the first of so many UDP ports in a row that nobody uses, below the CAN ranges of benches.

    Multicast lets two programs sit on one port without a word: a bench beside it would hear its currents.
    """
    draw = random.SystemRandom()
    for _ in range(50):
        first = draw.randrange(10_000, GUARD_PORT - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError(f"no {count} free UDP ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((GROUP, port))
        except OSError:
            return False
        return True


@dataclass
class ConsoleLoad:
    """The process that plays, and what it says."""

    process: "subprocess.Popen[str]"
    players: list[Player]
    sent_at_s: list[float] = field(default_factory=list)
    """When each reading of the watched charge point was sent."""
    frames: list[tuple[float, int]] = field(default_factory=list)
    """How many frames were sent until when, once a second."""
    summary: dict[str, Any] = field(default_factory=dict)
    """What was sent, when it ended: frames, took_s, missed, cpu_share."""
    missed: int = 0
    """How often a charge point was not given its turn, because this machine is too busy."""

    def frames_per_s(self, since_s: float) -> float:
        """Return how many frames a second were sent since an instant some seconds ago."""
        told = [one for one in self.frames if one[0] >= since_s]
        assert len(told) > 1, f"the load said nothing (exit status {self.process.poll()})"
        (first_s, first), (last_s, last) = told[0], told[-1]
        return (last - first) / (last_s - first_s)

    def hear(self) -> None:
        """Take what the process says, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "sent_at_s" in said:
                self.sent_at_s.append(said["sent_at_s"])
            elif "at_s" in said:
                self.frames.append((said["at_s"], said["frames"]))
                self.missed = said["missed"]
            else:
                self.summary = said


@contextmanager
def console_load(
    backplane_port: int, charge_points: int = 1000, *, watch: int = 0, seconds: float = 600.0, seed: int = 1
) -> Iterator[ConsoleLoad]:
    """Play for at most `seconds`, CP-`watch` at drawn moments; the process ends with the context."""
    options = {
        "--backplane-port": backplane_port,
        "--first-bus-port": free_bus_ports(charge_points),
        "--charge-points": charge_points,
        "--watch": watch,
        "--seconds": seconds,
        "--seed": seed,
    }
    command = [sys.executable, __file__, *(str(part) for option in options.items() for part in option)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )
    load = ConsoleLoad(process, [Player(number) for number in range(1, charge_points + 1)])
    hearing = threading.Thread(target=load.hear)
    hearing.start()
    try:
        yield load
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        hearing.join(10)
        assert process.stdout is not None
        process.stdout.close()


def main() -> None:
    """Play what the command line asks for, then print the summary."""
    parser = argparse.ArgumentParser(description="Charge points for a console.")
    parser.add_argument("--backplane-port", type=int, required=True)
    parser.add_argument("--first-bus-port", type=int, required=True, help="CP-1's; the others' follow")
    parser.add_argument("--charge-points", type=int, default=1000)
    parser.add_argument(
        "--watch", type=int, default=0, help="say when this one's readings are sent, about 4/s"
    )
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1, help="of the watched one's moments")
    print(json.dumps(_play(parser.parse_args())), flush=True)


if __name__ == "__main__":
    main()
