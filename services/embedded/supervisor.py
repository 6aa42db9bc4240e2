"""Processes that are kept running: prefixed output, restart after a crash, an end without orphans."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from chassis.backoff import delays_s
from chassis.process import EXIT_SETTINGS
from embedded.layout import Program

STOP_S = 10.0
STEADY_S = 20.0  # a process that lived so long starts its delays anew
_PR_SET_PDEATHSIG = 1
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)

Say = Callable[[str, str], None]
"""Takes a program's name and a line."""


class WrongSettings(Exception):  # noqa: N818 - named after what the program said
    """A program refused its settings: starting it again would not help."""


@dataclass
class _Running:
    program: Program
    process: asyncio.subprocess.Process
    started_s: float
    task: "asyncio.Task[None] | None" = None
    restarts: int = 0


def coloured_printer() -> Say:
    """Return a printer of `name | line`, a colour a name where the output is a terminal."""
    colours: dict[str, int] = {}
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ

    def say(name: str, line: str) -> None:
        if plain:
            print(f"{name:<12} | {line}", flush=True)
            return
        colour = colours.setdefault(name, _COLOURS[len(colours) % len(_COLOURS)])
        print(f"\x1b[{colour}m{name:<12} |\x1b[0m {line}", flush=True)

    return say


def _die_with_parent(interrupt: bool) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)
    signum = signal.SIGINT if interrupt else signal.SIGTERM

    def in_child() -> None:
        # A killed supervisor cannot stop anyone; the kernel does it for us.
        libc.prctl(_PR_SET_PDEATHSIG, signum)

    return in_child


class Supervisor:
    """Keeps programs running until `stop`; `changed` is called whenever a process came or went."""

    def __init__(self, say: Say, changed: Callable[[], None] = lambda: None) -> None:
        self._say = say
        self._changed = changed
        self._running: dict[str, _Running] = {}
        self._stopping = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets WrongSettings when a program cannot run at all, or the bug that ended the care for one."""

    @property
    def processes(self) -> dict[str, int]:
        """Process ids by program name."""
        return {name: running.process.pid for name, running in self._running.items()}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each program had to be started again."""
        return {name: running.restarts for name, running in self._running.items()}

    async def start(self, program: Program) -> None:
        """Start a program and keep it running."""
        running = _Running(program, await self._spawn(program), time.monotonic())
        self._running[program.name] = running
        running.task = asyncio.create_task(self._keep(running), name=program.name)
        running.task.add_done_callback(self._kept)
        self._changed()

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
        return await asyncio.create_subprocess_exec(
            *program.command,
            env={**inherited, "PYTHONUNBUFFERED": "1", **program.environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            user=program.user,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for us; we end them in order
            preexec_fn=_die_with_parent(program.stop_by_interrupt),
        )

    def _kept(self, task: "asyncio.Task[None]") -> None:
        # A program that nobody looks after any more would stall as soon as its output is full.
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def _keep(self, running: _Running) -> None:
        name = running.program.name
        delays = delays_s(0.5, 5.0)
        while True:
            await self._print_output(name, running.process)
            status = await running.process.wait()
            if self._stopping:
                return
            if status == EXIT_SETTINGS and running.program.tcp_port is None:
                if not self.failed.done():
                    self.failed.set_exception(WrongSettings(f"{name} refused its settings, see above"))
                return
            if time.monotonic() - running.started_s > STEADY_S:
                delays = delays_s(0.5, 5.0)
            how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
            delay_s = next(delays)
            self._say("bench", f"{name} ended ({how}); starting it again in {delay_s:.1f} s")
            await asyncio.sleep(delay_s)
            try:
                running.process = await self._spawn(running.program)
            except OSError as error:  # no process or memory to be had at this moment
                self._say("bench", f"{name} cannot be started: {error}")
                continue
            running.started_s = time.monotonic()
            running.restarts += 1
            self._changed()

    async def _print_output(self, name: str, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        rest = b""
        while chunk := await process.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._say(name, line.decode("utf-8", "replace"))
            rest = rest[-65_536:]
        if rest:
            self._say(name, rest.decode("utf-8", "replace"))

    async def stop(self) -> None:
        """End every program, the last started first; kill what does not end within STOP_S."""
        self._stopping = True
        running = list(reversed(self._running.values()))
        services = [r for r in running if r.program.tcp_port is None]
        # The services end together; what they stand on ends after them.
        await asyncio.gather(*(self._stop_one(r) for r in services))
        for foundation in (r for r in running if r.program.tcp_port is not None):
            await self._stop_one(foundation)

    async def _stop_one(self, running: _Running) -> None:
        process = running.process
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT if running.program.stop_by_interrupt else signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                self._say("bench", f"{running.program.name} did not end within {STOP_S:g} s: killed")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if running.task is not None:
            running.task.cancel()
            await asyncio.wait([running.task])  # how it ended stands in `failed`
