"""How far a source may send ahead of what is committed: go-back-N with a window that opens and closes.

It opens by one batch with each that is committed, so that it doubles with every exchange; without a word it
falls back to one batch, sent again ever more rarely: an absent MemoryBank must not fill the broker.
"""

from collections import deque
from dataclasses import dataclass, field

RESEND_AFTER_S = 3.0
LONGEST_RESEND_AFTER_S = 12.0
WINDOW_BATCHES = 64


@dataclass(slots=True)
class Window:
    """One source's sending state. Batches are named by their last number, instants are the loop's."""

    sent_seq: int = 0
    """The end of the last batch sent, or of what is committed: what follows is sent next."""
    in_flight: deque[int] = field(default_factory=deque)
    resend_after_s: float = RESEND_AFTER_S
    _size: int = 1
    _progress_s: float = 0.0
    _closed_until_s: float = 0.0

    def begin(self, at_s: float) -> None:
        """Begin anew on a new connection: first what is not committed, not before `at_s` or a word."""
        self._rewind()
        self.resend_after_s = RESEND_AFTER_S
        self._closed_until_s = at_s

    def is_overdue(self, now_s: float) -> bool:
        """Return whether nothing was committed for so long that it must be sent again."""
        return bool(self.in_flight) and now_s - self._progress_s > self.resend_after_s

    @property
    def is_first_try(self) -> bool:
        """Whether nothing was sent again since the last word."""
        return self.resend_after_s == RESEND_AFTER_S

    def send_again(self) -> None:
        """Go back to what is committed, and wait longer next time."""
        self._rewind()
        self.resend_after_s = min(self.resend_after_s * 2, LONGEST_RESEND_AFTER_S)

    def room(self, now_s: float) -> int:
        """Return how many batches may be sent now."""
        return 0 if now_s < self._closed_until_s else max(0, self._size - len(self.in_flight))

    def sent(self, last_seq: int, now_s: float) -> None:
        """Note a batch that was sent."""
        if not self.in_flight:
            self._progress_s = now_s
        self.in_flight.append(last_seq)
        self.sent_seq = last_seq

    def heard(self, seq: int, now_s: float) -> None:
        """Note the word that all up to `seq` is committed; one that says nothing new is a sign of life."""
        self._closed_until_s = 0.0
        self.resend_after_s = RESEND_AFTER_S
        self.sent_seq = max(self.sent_seq, seq)
        while self.in_flight and self.in_flight[0] <= seq:
            self.in_flight.popleft()
            self._progress_s = now_s
            self._size = min(self._size + 1, WINDOW_BATCHES)

    def _rewind(self) -> None:
        self.in_flight.clear()
        self.sent_seq = 0
        self._size = 1
