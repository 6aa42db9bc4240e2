"""A process that answers each line with a line, within a deadline."""

import os
import selectors
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from typing import IO, cast

PATIENCE_S = 10.0
"""For an answer; the first one has to wait for the process's start as well."""
MOST_ANSWER_BYTES = 1_000_000
_FAREWELL_S = 2.0


class ProcessFailed(Exception):  # noqa: N818 - named after what happened
    """The process ended, hangs, or says too much; the text says which."""


class LineProcess:
    """One process, in a group of its own so that its children end with it. `close` it."""

    def __init__(self, command: str, patience_s: float = PATIENCE_S) -> None:
        """Start it, without a shell. Raises OSError and ValueError where that cannot be."""
        self._patience_s = patience_s
        self._process = subprocess.Popen(  # noqa: S603 - it is the user's own command line
            shlex.split(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._stdin = cast(IO[bytes], self._process.stdin)
        self._stdout = cast(IO[bytes], self._process.stdout)
        # It may answer before it has read all: neither side shall wait for the other.
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)

    def answer(self, line: bytes) -> bytes:
        """Return the line that answers a line; both end with a newline. Raises ProcessFailed."""
        left, answer = memoryview(line), bytearray()
        deadline_s = time.monotonic() + self._patience_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            selector.register(self._stdout, selectors.EVENT_READ)
            while not answer.endswith(b"\n"):
                ready = selector.select(max(0.0, deadline_s - time.monotonic()))
                if not ready:
                    raise ProcessFailed(f"no answer within {self._patience_s:g} s")
                for key, _ in ready:
                    if key.fileobj is self._stdin:
                        left = left[self._write(left) :]
                        if not left:
                            selector.unregister(self._stdin)
                    else:
                        answer += self._read()
                if len(answer) > MOST_ANSWER_BYTES:
                    raise ProcessFailed(f"an answer of more than {MOST_ANSWER_BYTES} bytes")
        if left or answer.count(b"\n") > 1:
            raise ProcessFailed("it answers with more than a line, or before it was asked")
        return bytes(answer)

    def close(self, *, at_once: bool = False) -> None:
        """Tell it that nothing follows, wait a little (unless `at_once`), and end it."""
        with suppress(OSError):
            self._stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.0 if at_once else _FAREWELL_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._stdout.close()

    def _write(self, left: memoryview) -> int:
        try:
            return os.write(self._stdin.fileno(), left)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            raise ProcessFailed(self._ending()) from None

    def _read(self) -> bytes:
        read = os.read(self._stdout.fileno(), 65_536)
        if not read:
            raise ProcessFailed(self._ending())
        return read

    def _ending(self) -> str:
        try:
            return f"it ended with exit status {self._process.wait(_FAREWELL_S)}"
        except subprocess.TimeoutExpired:
            return "it closed its input or its output"
