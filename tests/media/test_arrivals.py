"""Many lines that are read in one call of the kernel are heard as each alone would be."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterable

import pytest

from tests.media.lines import SSRC, Ear, any_line, audio, event, spoken
from tests.media.tables import Line, fail
from voice.media.arrivals import Arrivals
from voice.media.submission import Submission
from voice.media.table import FIRST_ROWS
from voice.media.together import READS_OFTEN, READS_SELDOM


class Heard(Line):
    """A line that brings any packets, heard together with others and, for comparison, alone."""

    def __init__(self, seed: int, due: int, sources: bool = True) -> None:
        super().__init__()
        self.ear, self.alone = Ear(due=due), Ear()
        self.packets = any_line(random.Random(seed), sources)
        self.over = False

    def bring(self) -> None:
        """The next packet, if there is one."""
        data = next(self.packets, None)
        self.over = data is None
        if data is not None:
            self.alone.hear(data)
            self.ear.now = self.alone.now
            self.far.send(data)

    def begin(self, packets: Iterable[bytes]) -> None:
        """Only with the second one it is known what they look like."""
        for data in packets:
            self.alone.hear(data)
            self.ear.hear(data)

    def begin_in(self, table: Arrivals) -> None:
        """Bring the first two, and be read in this table."""
        self.begin((audio(0), audio(1)))
        assert table.join(self, self.ear.receiver)

    def settle(self) -> None:
        self.ear.receiver.settle()

    def take_apart(self, data: bytes, now: float) -> None:
        self.ear.receiver.datagram(data, now)


@pytest.mark.parametrize(("reads", "most"), [(READS_OFTEN, 1), (READS_SELDOM, 5)])
@pytest.mark.parametrize("seed", range(10))
def test_what_is_read_together_is_heard_as_if_it_had_been_read_alone(
    submission: Submission, lines: Callable[[Line], Line], seed: int, reads: int, most: int
) -> None:
    """Lines of every kind come, go and come back meanwhile. most: packets between two visits.

    How long a pause before another source is, the clock tells alone: so these are visited for every packet.
    """
    dice = random.Random(seed)
    table = Arrivals(submission, reads, fail)
    all_lines = [
        Heard(100 * seed + number, dice.choice((1, 160, 161, 800, 100_000)), most == 1) for number in range(40)
    ]
    for line in all_lines:
        lines(line)
        line.begin(audio(number, sequence=65_500, jump=0xFFFF_F000) for number in (-2, -1))
    while not all(line.over for line in all_lines):
        packets = dice.randint(1, most)
        for line in all_lines:
            if dice.random() < 0.1:
                table.leave(line.ear.receiver)
            if line.ear.receiver.waits_at is None:
                assert table.join(line, line.ear.receiver)
            for _ in range(packets):
                line.bring()
        table.visit(max(line.alone.now for line in all_lines))
    for line in all_lines:
        table.leave(line.ear.receiver)
        together, alone = line.ear.receiver, line.alone.receiver
        assert line.ear.keys == line.alone.keys
        assert (line.ear.end(), line.ear.gaps) == (line.alone.end(), line.alone.gaps)
        assert (together.received, together.invalid) == (alone.received, alone.invalid)
        for name in ("lost", "late", "duplicated"):
            assert getattr(together.jitter, name) == getattr(alone.jitter, name)
    assert not table.places


def test_who_is_behind_catches_up_and_longer_datagrams_are_whole(
    submission: Submission, lines: Callable[[Line], Line]
) -> None:
    line = Heard(1, 100_000)
    lines(line)
    table = Arrivals(submission, READS_SELDOM, fail)
    line.begin_in(table)
    long = audio(20)[:12] + spoken(20, 21, 22)
    for data in (*(audio(number) for number in range(2, 20)), long, event(5, 22, 3680, end=True), b""):
        line.far.send(data)
    table.visit(line.ear.now)
    assert line.ear.receiver.received == 22
    assert line.ear.keys == "5"
    assert line.ear.receiver.invalid == 1
    assert line.ear.end() == spoken(*range(23))


def test_a_line_that_fails_is_told_of_and_the_others_are_heard(
    submission: Submission, lines: Callable[[Line], Line]
) -> None:
    class Broken(Heard):
        def take_apart(self, data: bytes, now: float) -> None:
            raise RuntimeError("on purpose")

    failed: list[object] = []
    broken, sound = Broken(1, 1), Heard(2, 1)
    table = Arrivals(submission, READS_OFTEN, failed.append)
    for line in (broken, sound):
        lines(line)
        line.begin((audio(0), audio(1)))
        assert table.join(line, line.ear.receiver)
        line.far.send(b"strange")
        line.far.send(audio(2))
    table.visit(sound.ear.now)
    assert failed == [broken]
    assert sound.ear.end() == spoken(0, 1, 2)


def test_packets_of_another_length_are_not_read_together(submission: Submission, lines: Callable[[Line], Line]) -> None:
    line, table = Heard(1, 1), Arrivals(submission, READS_OFTEN, fail)
    lines(line)
    assert not table.join(line, line.ear.receiver), "nothing has come yet"
    line.begin(audio(number)[:92] for number in range(3))
    assert not table.join(line, line.ear.receiver)
    assert not table.places


def test_another_source_makes_no_pause_by_being_read_late(
    submission: Submission, lines: Callable[[Line], Line]
) -> None:
    line, table = Heard(1, 100_000), Arrivals(submission, READS_SELDOM, fail)
    lines(line)
    line.begin(audio(number) for number in range(50))
    assert table.join(line, line.ear.receiver)
    for number in range(50, 56):
        line.far.send(audio(number, ssrc=SSRC + 1, sequence=7000))
    # As late as the last of them would be, had the line held it up for 60 ms.
    table.visit(line.ear.now + 6 * 0.02 + 0.06)
    assert line.ear.end() == spoken(*range(56))


def test_what_is_no_rtp_is_no_audio_where_a_packet_is_missing(
    submission: Submission, lines: Callable[[Line], Line]
) -> None:
    line, table = Heard(1, 100_000), Arrivals(submission, READS_OFTEN, fail)
    lines(line)
    line.begin_in(table)
    line.far.send(audio(3))
    table.visit(line.ear.now)
    line.far.send(b"\0\0\xff\xff" + audio(2)[4:])
    table.visit(line.ear.now)
    assert line.ear.receiver.invalid == 1
    line.far.send(audio(2))
    table.visit(line.ear.now)
    assert line.ear.end() == spoken(0, 1, 2, 3)


def test_without_memory_a_table_stays_as_it_is(
    submission: Submission, lines: Callable[[Line], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel was told of must not move."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOMEM, "on purpose")

    table = Arrivals(submission, READS_OFTEN, fail)
    heard = [Heard(number, 1) for number in range(FIRST_ROWS + 1)]
    for line in heard:
        lines(line)
        line.begin((audio(0), audio(1)))
    for line in heard[:-1]:
        assert table.join(line, line.ear.receiver)
    monkeypatch.setattr("mmap.mmap", refuse)
    with pytest.raises(OSError, match="on purpose"):
        table.join(heard[-1], heard[-1].ear.receiver)
    monkeypatch.undo()
    assert heard[-1].ear.receiver.waits_at is None
    for line in heard[:-1]:
        line.far.send(audio(2))
    table.visit(heard[0].ear.now)
    assert all(line.ear.heard == spoken(0, 1, 2) for line in heard[:-1])
    assert table.join(heard[-1], heard[-1].ear.receiver)


def test_a_row_that_cannot_be_laid_out_is_none(
    submission: Submission, lines: Callable[[Line], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError("on purpose")

    table = Arrivals(submission, READS_OFTEN, fail)
    one, other = Heard(1, 1), Heard(2, 1)
    for line in (one, other):
        lines(line)
        line.begin((audio(0), audio(1)))
    assert table.join(one, one.ear.receiver)
    monkeypatch.setattr(table, "lay_out", refuse)
    with pytest.raises(MemoryError, match="on purpose"):
        table.join(other, other.ear.receiver)
    monkeypatch.undo()
    one.far.send(audio(2))
    table.visit(one.ear.now)
    assert one.ear.heard == spoken(0, 1, 2)
    assert len(table.places) == 1


def test_who_leaves_while_it_fails_is_gone(submission: Submission, lines: Callable[[Line], Line]) -> None:
    line, table = Heard(1, 100_000), Arrivals(submission, READS_OFTEN, fail)
    lines(line)
    line.begin_in(table)
    line.far.send(audio(2))
    table.visit(line.ear.now)
    line.ear.frame = fail  # type: ignore[method-assign]
    with pytest.raises(pytest.fail.Exception):
        table.leave(line.ear.receiver)
    assert not table.places
    assert line.ear.receiver.waits_at is None
