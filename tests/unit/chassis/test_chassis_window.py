"""Go-back-N against every kind of bad luck: messages and words lost, connections new, the bank restarted."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from chassis.window import LONGEST_RESEND_AFTER_S, WINDOW_BATCHES, Window

BATCHES = 200


@dataclass
class World:
    """A source of numbered batches, a bank that commits them in order, and what is between them."""

    window: Window = field(default_factory=Window)
    committed: int = 0
    known: int = 0
    """How far the source knows them to be committed."""
    now_s: float = 0.0
    most_in_flight: int = 0

    def step(self, *, batch_is_lost: bool = False, word_is_lost: bool = False) -> None:
        """Pass a tenth of a second: what may be sent is sent, and answered by one word."""
        self.now_s += 0.1
        if self.window.is_overdue(self.now_s):
            self.window.send_again()
        first = max(self.window.sent_seq, self.known) + 1
        heard = False
        for seq in range(first, min(first + self.window.room(self.now_s), BATCHES + 1)):
            self.window.sent(seq, self.now_s)
            if not batch_is_lost:
                heard = True
                self.committed += seq == self.committed + 1
        self.most_in_flight = max(self.most_in_flight, len(self.window.in_flight))
        if heard and not word_is_lost:
            self.hear(self.committed)

    def hear(self, seq: int) -> None:
        self.known = max(self.known, seq)
        self.window.heard(seq, self.now_s)


luck = st.lists(st.sampled_from(["fine", "batch lost", "word lost", "old word", "reconnected", "restarted"]))


@given(luck)
def test_everything_is_committed_once_the_bad_luck_ends(events: list[str]) -> None:
    world = World()
    for event in events:
        if event == "old word":
            world.hear(world.known // 2)
        elif event == "reconnected":
            world.window.begin(world.now_s + 1.0)
        elif event == "restarted":
            world.hear(world.committed)
        world.step(batch_is_lost=event == "batch lost", word_is_lost=event == "word lost")
    end_s = world.now_s + LONGEST_RESEND_AFTER_S + 5
    while world.now_s < end_s:
        world.step()
    assert world.committed == world.known == BATCHES
    assert world.most_in_flight <= WINDOW_BATCHES


def test_without_bad_luck_it_is_soon_at_full_speed() -> None:
    world = World()
    while world.known < BATCHES:
        world.step()
    assert world.now_s < 1.5
    assert world.most_in_flight == WINDOW_BATCHES
