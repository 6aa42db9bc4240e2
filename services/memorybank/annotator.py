"""Tells Grafana of anomalies from a thread of its own, beside the ingest and never in its way.

Each is told once, however often it is tried: its annotation is looked for by the anomaly's own tag first.
That holds over restarts too, so after one everything of the last day is gone through again, and nothing is
remembered here but what waits.
"""

import logging
import threading
from types import TracebackType
from typing import Self

from chassis.backoff import delays_s
from chassis.grafana_link import GrafanaError, GrafanaLink, GrafanaRejected
from contracts.events import Anomaly
from memorybank.annotations import Waiting, is_as, own_tag, region

log = logging.getLogger("memorybank")

_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 60.0


class Annotator:
    """`with` it, a thread tells what it is given. Its numbers are read from any thread."""

    def __init__(self, grafana: GrafanaLink, waiting: Waiting | None = None) -> None:
        self._grafana = grafana
        self._waiting = waiting or Waiting()
        self._changed = threading.Condition()
        self._is_stopping = False
        self.written = 0
        """How often an annotation was added or changed."""
        self.retries = 0
        self.problem: str | None = None
        """Why Grafana did not take what it was told last; None: it did."""

    @property
    def waiting(self) -> int:
        """How many anomalies wait to be told."""
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """Anomalies given up: too many waited, or Grafana rejected them."""
        return self._waiting.dropped

    def __enter__(self) -> Self:
        # A daemon: a Grafana that is slow to answer must not hold up our end.
        threading.Thread(target=self._run, name="annotator", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def tell(self, anomaly: Anomaly) -> None:
        """Take an anomaly's change; returns at once."""
        with self._changed:
            self._waiting.add(anomaly)
            self._changed.notify()

    def _run(self) -> None:
        delays = delays_s(_FIRST_DELAY_S, _LONGEST_DELAY_S)
        while (anomaly := self._next()) is not None:
            try:
                self._write(anomaly)
            except GrafanaRejected as error:
                log.warning("Grafana rejects the annotation of anomaly %s: %s", anomaly.id, error)
                with self._changed:
                    self._waiting.drop(anomaly)
            except GrafanaError as error:
                self._note(str(error))
                self.retries += 1
                self._pause(next(delays))
            except Exception:
                # A bug of ours must neither end the telling of all others nor be tried for ever.
                log.exception("the annotation of anomaly %s failed", anomaly.id)
                with self._changed:
                    self._waiting.drop(anomaly)
            else:
                self._note(None)
                delays = delays_s(_FIRST_DELAY_S, _LONGEST_DELAY_S)
                with self._changed:
                    self._waiting.mark_told(anomaly)

    def _next(self) -> Anomaly | None:
        """Return the next anomaly when there is one; None: it is over."""
        with self._changed:
            while not self._is_stopping:
                if (anomaly := self._waiting.first()) is not None:
                    return anomaly
                self._changed.wait()
        return None

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping, seconds)

    def _write(self, anomaly: Anomaly) -> None:
        wanted = region(anomaly)
        found = self._grafana.annotations(own_tag(anomaly.id))
        if not found:
            self._grafana.add_annotation(wanted)
        elif is_as(found[0], wanted):
            return
        else:
            self._grafana.change_annotation(found[0]["id"], wanted)
        self.written += 1

    def _note(self, problem: str | None) -> None:
        if problem is not None and problem != self.problem:
            log.warning("Grafana takes no annotation, trying on: %s", problem)
        elif problem is None and self.problem is not None:
            log.info("Grafana takes annotations again")
        self.problem = problem
