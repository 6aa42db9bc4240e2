"""Many charge points in one process: what each further one costs, and how all come back to a new CSMS."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.parts import cpu_s, started_broker
from bench.report import Report, Row, told
from embedded.ports import Ports, taken
from metrics_parts import Metrics
from real_parts import Broker, free_port, wait_until

FEW, MANY = 100, 1000
START_S = 600.0
SETTLE_S = 10.0
MEASURED_S = 20.0
BACK_S = 30.0
_TOKEN = "start-up-token"
_ENROLMENT = "enrolment"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A fleet of so many: USS of chargepoint and charger process together, processor time, the way back."""

    charge_points: int
    uss_bytes: float
    cpu_ms: float
    """Of both processes, for each charge point and second."""
    back_s: float
    most_back_in_a_second: int
    transactions_gone: int


def measure(report: Report, charge_points: int = MANY) -> None:
    """Add the rows of the fleet."""
    with started_broker() as broker:
        alone = _measured(broker, 1)
        few = _measured(broker, min(FEW, charge_points // 2))
        many = _measured(broker, charge_points)
    for row in rows(alone, few, many):
        report.add(row)


def rows(alone: Figures, few: Figures, many: Figures) -> Iterator[Row]:
    """Return the rows: a process for each charge point, and a smaller fleet, are the baselines."""
    further = many.charge_points - few.charge_points
    each_bytes = (many.uss_bytes - few.uss_bytes) / further
    size, smaller = f"{many.charge_points:,} charge points", f"{few.charge_points} charge points"
    yield Row(
        name=f"fleet: memory for each further charge point, module included, up to {size}",
        unit="kB",
        ours=each_bytes / 1000,
        baseline=alone.uss_bytes / 1000,
        baseline_name="a charge point and a module in processes of their own",
        goal="< 100",
        met=each_bytes < 100_000,
    )
    yield Row(
        name=f"fleet: processor time of a charge point and its module, {size} at 1 Hz",
        unit="ms/s",
        ours=many.cpu_ms,
        baseline=few.cpu_ms,
        baseline_name=f"with {smaller}",
        goal="ratio ≤ 1.2",
        met=many.cpu_ms <= 1.2 * few.cpu_ms,
    )
    yield Row(
        name=f"fleet: from a new CSMS's start until all are back, {size}",
        unit="s",
        ours=many.back_s,
        baseline=few.back_s,
        baseline_name=f"with {smaller}",
        goal=f"< {BACK_S:g}",
        met=many.back_s < BACK_S,
    )
    yield Row(
        name="fleet: most that came back in one second of these",
        unit="charge points",
        ours=many.most_back_in_a_second,
        baseline=many.charge_points,
        baseline_name="all at once",
    )
    yield Row(
        name="fleet: transactions that did not go on",
        unit="",
        ours=many.transactions_gone,
        goal="0",
        met=many.transactions_gone == 0,
    )


@dataclass(kw_only=True)
class _Fleet:
    """The processes of one run. There is no MemoryBank: events stay in the outboxes, on disk."""

    folder: Path
    broker: Broker
    charge_points: int
    ports: Ports

    def __post_init__(self) -> None:
        self.ocpp_port, self.http_port, self.health_port = free_port(), free_port(), free_port()
        self.metrics = Metrics("chargepoint", self.health_port)

    def start(self, service: str, account: str | None = None, **environ: str) -> "subprocess.Popen[bytes]":
        settings = {
            "PATH": os.environ["PATH"],
            "LOG_LEVEL": "ERROR",
            "MQTT_PORT": str(self.broker.port),
            "CAN_INTERFACE": "127.0.0.1",
            "CAN_BACKPLANE_PORT": str(self.ports.can_backplane),
            "CAN_BASE_PORT": str(self.ports.can_base),
            "STATE_DIRECTORY": str(self.folder / service),
            **({"MQTT_USER": account, "MQTT_PASSWORD": self.broker.password} if account else {}),
            **environ,
        }
        return subprocess.Popen([sys.executable, "-m", service], env=settings)

    def start_csms(self) -> "subprocess.Popen[bytes]":
        return self.start(
            "csms",
            "csms",
            OCPP_PORT=str(self.ocpp_port),
            CSMS_HTTP_PORT=str(self.http_port),
            ENROLMENT_PASSWORD=_ENROLMENT,
            CHARGEBENCH_TOKEN=_TOKEN,
            SCENARIO_PLAN="none",
        )

    def start_charge_points(self) -> "subprocess.Popen[bytes]":
        return self.start(
            "chargepoint",
            "chargepoint",
            CHARGE_POINT_ID="CP-1",
            CHARGE_POINTS=str(self.charge_points),
            CHARGE_POINT_PASSWORD=_ENROLMENT,
            CSMS_URL=f"ws://127.0.0.1:{self.ocpp_port}",
            HEALTH_PORT=str(self.health_port),
        )

    def charge(self) -> None:
        """Have every charge point begin a transaction."""
        with (
            httpx.Client(timeout=60, trust_env=False, headers={"X-ChargeBench-Token": _TOKEN}) as client,
            ThreadPoolExecutor(8) as threads,
        ):

            def begin(number: int) -> None:
                url = f"http://127.0.0.1:{self.http_port}/api/charge-points/CP-{number}/commands"
                payload = {"idTag": "BENCH", "connectorId": 1}
                body = {"action": "RemoteStartTransaction", "payload": payload}
                client.post(url, json=body).raise_for_status()

            list(threads.map(begin, range(1, self.charge_points + 1)))
        self.metrics.wait("transactions", self.charge_points, START_S)

    def online(self) -> int | None:
        """Return how many the CSMS has accepted; None where the process is too busy to say."""
        found = self.metrics.read().get("charge_points_online")
        return None if found is None else int(found)

    def transactions(self) -> set[int]:
        """Return the active transactions that the CSMS knows."""
        url = f"http://127.0.0.1:{self.http_port}/api/transactions?active=true&limit=1000"
        answer = httpx.get(url, timeout=60, trust_env=False).raise_for_status()
        return {entry["transaction_id"] for entry in answer.json()}


@contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _measured(broker: Broker, charge_points: int) -> Figures:
    told(f"Fleet: {charge_points:,} charge points")
    with tempfile.TemporaryDirectory(prefix="chargebench-") as folder, ExitStack() as stack:
        fleet = _Fleet(
            folder=Path(folder),
            broker=broker,
            charge_points=charge_points,
            ports=stack.enter_context(taken({}, charge_points=charge_points))[0],
        )
        csms = stack.enter_context(_ended(fleet.start_csms()))
        charger = stack.enter_context(_ended(fleet.start("charger", CHARGER_CAPACITY=str(charge_points))))
        hosted = stack.enter_context(_ended(fleet.start_charge_points()))
        fleet.metrics.wait("charge_points_online", charge_points, START_S)
        fleet.metrics.wait("modules", charge_points, START_S)
        fleet.charge()
        time.sleep(SETTLE_S)
        begun_s, used_s = time.monotonic(), cpu_s(hosted.pid, charger.pid)
        time.sleep(MEASURED_S)
        used_s, took_s = cpu_s(hosted.pid, charger.pid) - used_s, time.monotonic() - begun_s
        uss_bytes = sum(psutil.Process(each.pid).memory_full_info().uss for each in (hosted, charger))
        before = fleet.transactions()
        csms.kill()
        csms.wait(10)
        wait_until(lambda: fleet.online() == 0, timeout_s=60, what="all to miss it")
        stack.enter_context(_ended(fleet.start_csms()))
        back = _way_back(fleet)
        return Figures(
            charge_points=charge_points,
            uss_bytes=uss_bytes,
            cpu_ms=1000 * used_s / took_s / charge_points,
            back_s=back[-1][0],
            most_back_in_a_second=most_in_a_second(back),
            transactions_gone=len(before - fleet.transactions()),
        )


def _way_back(fleet: _Fleet) -> list[tuple[float, int]]:
    """Return how many were back how many seconds after the start, until all are."""
    begun_s, back = time.monotonic(), [(0.0, 0)]
    while back[-1][1] < fleet.charge_points:
        online = fleet.online()
        if online is not None:
            back.append((time.monotonic() - begun_s, online))
        if time.monotonic() - begun_s > START_S:
            raise TimeoutError(f"{online} of {fleet.charge_points} are back after {START_S:g} s")
        time.sleep(0.1)
    return back


def most_in_a_second(back: list[tuple[float, int]]) -> int:
    """Return the steepest rise of a count within a second; where samples are further apart, their mean."""
    return max(
        (
            round((later - earlier) / max(1.0, then_s - at_s))
            for at_s, earlier in back
            for then_s, later in back
            if then_s > at_s
        ),
        default=0,
    )
