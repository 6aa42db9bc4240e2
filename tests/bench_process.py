"""An embedded bench as a process of the test: `chargebench up` in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from real_parts import wait_until

START_S = 60.0


@dataclass
class BenchProcess:
    """Start it, look into it, break it, end it. `environ` and `prefix` for special surroundings."""

    home: Path
    charge_points: int = 2
    arguments: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def log(self) -> Path:
        return self.home / "output.log"

    def start(self) -> None:
        """Start and wait until it says where to look."""
        self.home.mkdir(parents=True, exist_ok=True)
        command = [
            *self.prefix,
            *(sys.executable, "-m", "embedded", "up", "--home", str(self.home)),
            *("--charge-points", str(self.charge_points), *self.arguments),
        ]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        wait_until(self._says_where_to_look, timeout_s=START_S, what="the bench to run")

    def _says_where_to_look(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the bench ended with {self.process.returncode}:\n{self.output()[-4000:]}")
        return "the bench runs" in self.output()

    def output(self) -> str:
        """Return everything it printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def described(self) -> dict[str, Any]:
        """Return bench.json: addresses and process ids."""
        return json.loads((self.home / "bench.json").read_text(encoding="utf-8"))

    @property
    def secrets(self) -> dict[str, str]:
        return json.loads((self.home / "secrets.json").read_text(encoding="utf-8"))

    @property
    def token(self) -> dict[str, str]:
        """Return the header that changes state."""
        return {"X-ChargeBench-Token": self.secrets["token"]}

    def pid(self, program: str) -> int:
        """Return the process id of a program as it is now."""
        return self.described["processes"][program]

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser: tests may look everywhere."""
        url = f"postgresql://postgres:{self.secrets['postgres']}@127.0.0.1:{self.described['postgres_port']}/chargebench"
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute(sql, parameters).fetchall()

    def get(self, address: str, path: str) -> Any:
        """Return the JSON at a path of `csms_api`, `memorybank_api` or `console`."""
        response = httpx.get(self.described[address].rstrip("/") + path, timeout=10, trust_env=False)
        response.raise_for_status()
        return response.json()

    def kill(self, program: str) -> int:
        """End a program as a crash would; return the process id that died."""
        pid = self.pid(program)
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self, timeout_s: float = 45.0) -> int:
        """End the bench as Ctrl-C does; return its exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise
