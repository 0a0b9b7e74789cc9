"""Many lines that are sent to in one call of the kernel hear what each alone would."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable

from tests.media.tables import Line, fail
from voice.media.departures import Departures
from voice.media.g711 import Law
from voice.media.sender import Playback, Sender
from voice.media.submission import Submission


class Spoken(Line):
    """A line on which a sender speaks together with others, and one like it alone."""

    def __init__(self, table: Departures, samples: int, dice: random.Random) -> None:
        super().__init__()
        self.done: list[object] = []
        self._table = table
        self.sender, self.alone = (Sender(Law.PCMU, 0, self.done.append) for _ in range(2))
        for name in ("ssrc", "sequence", "timestamp"):
            setattr(self.alone, name, getattr(self.sender, name))
        payload = dice.randbytes(samples)
        for sender in (self.sender, self.alone):
            sender.sequence, sender.timestamp = 65_500, 0xFFFF_F000
            sender.packet()
            sender.playback = Playback(payload, "token", min(samples, 40))

    def send_apart(self) -> None:
        self._table.leave(self.sender)

    def heard(self) -> list[bytes]:
        """What has come out at the far end."""
        found = []
        while True:
            try:
                found.append(self.far.recv(2048))
            except BlockingIOError:
                return found


def test_what_is_sent_together_is_what_each_would_have_sent(
    submission: Submission, lines: Callable[[Line], Line]
) -> None:
    """Playbacks of all lengths end, and senders come and go, at any time."""
    dice = random.Random(7)
    table = Departures(submission, fail)
    senders = [Spoken(table, samples, dice) for samples in (*range(0, 900, 37), *(dice.randrange(20_000),) * 20)]
    expected: dict[Spoken, list[bytes]] = {line: [] for line in senders}
    for _ in range(100):
        alone = [line for line in senders if line.sender.departure is None]
        table.send()
        for line in alone:
            line.near.send(line.sender.packet())
            line.sender.sent += 1
            if dice.random() < 0.8:
                table.join(line, line.sender)
        for line in senders:
            expected[line].append(line.alone.packet())
            assert line.alone.playback is not None
            assert line.sender.playback is not None
            assert line.sender.position_of(line.sender.playback) == line.alone.playback.position
            assert line.sender.numbers[:2] == (line.alone.sequence, line.alone.timestamp)
            if dice.random() < 0.03:
                table.leave(line.sender)
    for line in senders:
        lines(line)
        table.leave(line.sender)
        assert line.heard() == expected[line]
        assert line.sender.sent == 100
        assert line.done == ["token"] * (2 if line.alone.playback and line.alone.playback.done else 0)
    assert not table.places


def test_what_nobody_takes_is_not_counted(submission: Submission, lines: Callable[[Line], Line]) -> None:
    table = Departures(submission, fail)
    line, other = (Spoken(table, 5000, random.Random(1)) for _ in range(2))
    for each in (line, other):
        lines(each)
        table.join(each, each.sender)
    line.far.close()
    for _ in range(10):
        table.send()
    assert line.sender.numbers[2] <= 5, "every second one brings back that the port is closed"
    assert other.sender.numbers[2] == len(other.heard()) == 10


def test_any_thread_may_ask_while_a_table_grows(submission: Submission, lines: Callable[[Line], Line]) -> None:
    table, dice = Departures(submission, fail), random.Random(1)
    first = Spoken(table, 5000, dice)
    lines(first)
    table.join(first, first.sender)
    expected = first.sender.numbers
    answers: set[object] = set()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answers.add(first.sender.numbers)
            except Exception as error:
                answers.add(repr(error))

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        asking = threading.Thread(target=ask)
        asking.start()
        for _ in range(3000):
            table._grow(len(table.requests))
        over.set()
        asking.join()
    finally:
        sys.setswitchinterval(usual)
    assert answers == {expected}
