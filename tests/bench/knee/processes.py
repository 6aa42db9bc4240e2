"""What the bench's processes take of the machine, by service."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

YARDSTICK_ADDITIONS = 100_000
SUPERVISOR = "bench"
"""The parent of all: its children stand under their own names."""


class Ended(Exception):  # noqa: N818 - named after what happened
    """A program of the bench is no longer there."""


@dataclass(frozen=True)
class Taken:
    """Processor seconds so far: by service those of each process, and those of children that have ended."""

    by_process: dict[str, dict[int, float]] = field(default_factory=dict)
    ended_s: dict[str, float] = field(default_factory=dict)
    machine_s: float = 0.0
    measuring_s: float = 0.0
    at_s: float = 0.0
    """By the monotonic clock."""

    @classmethod
    def now(cls, programs: Mapping[str, int]) -> "Taken":
        """Return what was taken up to now, of programs by the names of bench.json; raises Ended."""
        taken = cls(machine_s=_machine_s(), measuring_s=_own_s(psutil.Process()), at_s=time.monotonic())
        for name, pid in programs.items():
            service = service_of(name)
            own = _process(name, pid)
            times = own.cpu_times()
            used = taken.by_process.setdefault(service, {})
            used[pid] = times.user + times.system
            ended_s = 0.0 if service == SUPERVISOR else times.children_user + times.children_system
            taken.ended_s[service] = taken.ended_s.get(service, 0.0) + ended_s
            for child in _children(service, own):
                try:
                    used[child.pid] = _own_s(child)
                except psutil.NoSuchProcess:  # its time stands with its parent now
                    continue
        return taken

    def since(self, before: "Taken") -> dict[str, float]:
        """Return the cores that each service kept busy since an earlier look."""
        total = {name: sum(self.by_process[name].values()) + self.ended_s[name] for name in self.by_process}
        earlier = {
            name: sum(used.values()) + before.ended_s[name] for name, used in before.by_process.items()
        }
        return {
            name: max(0.0, total[name] - earlier.get(name, 0.0)) / (self.at_s - before.at_s) for name in total
        }

    def of_machine_since(self, before: "Taken") -> tuple[float, float]:
        """Return the cores that the whole machine kept busy, and of these the process that measures."""
        took_s = self.at_s - before.at_s
        return (self.machine_s - before.machine_s) / took_s, (self.measuring_s - before.measuring_s) / took_s

    def busiest_since(self, before: "Taken") -> dict[str, float]:
        """Return the cores that the busiest process of each service kept busy."""
        return {
            name: max(spent - before.by_process.get(name, {}).get(pid, 0.0) for pid, spent in used.items())
            / (self.at_s - before.at_s)
            for name, used in self.by_process.items()
        }


def yardstick_ms() -> float:
    """Return the processor time of a fixed piece of Python: what the host of a virtual machine gives now."""
    begun_s, total = time.thread_time(), 0
    for number in range(YARDSTICK_ADDITIONS):
        total += number & 7
    return 1000 * (time.thread_time() - begun_s)


def service_of(program: str) -> str:
    """Return the service that a program of bench.json is: CP-1 is a chargepoint process."""
    return "chargepoint" if program.startswith("CP-") else program


def memory_mb(programs: Mapping[str, int]) -> dict[str, float]:
    """Return the unique set size of each service, children included."""
    found: dict[str, float] = {}
    for name, pid in programs.items():
        service, own = service_of(name), _process(name, pid)
        for process in (own, *_children(service, own)):
            try:
                size = process.memory_full_info().uss / 1e6
            except psutil.NoSuchProcess:
                continue
            found[service] = found.get(service, 0.0) + size
    return found


def _process(name: str, pid: int) -> psutil.Process:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess as error:
        raise Ended(f"{name} (process {pid}) ended while it was measured") from error


def _children(service: str, process: psutil.Process) -> list[psutil.Process]:
    return [] if service == SUPERVISOR else process.children(recursive=True)


def _own_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _machine_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)
