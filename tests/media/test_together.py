"""Many streams that send and read in one call of the kernel: nobody on the line can tell."""

from __future__ import annotations

import contextlib
import errno
import itertools
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.media.lines import SSRC, Ear, any_line, audio, event, spoken
from tests.media.peer import Ear as Sink
from tests.media.peer import Peer, Side, call, numbered
from tests.support import missing, until
from voice.events import Digit, MediaTimeout, PlaybackDone
from voice.media.arrivals import Arrivals, Waiting
from voice.media.departures import Departures
from voice.media.g711 import Law
from voice.media.loop import MediaLoop
from voice.media.sender import Playback, Sender
from voice.media.submission import Submission
from voice.media.table import FIRST_ROWS
from voice.media.together import READS_OFTEN, READS_SELDOM

FAST = 0.002


@pytest.fixture
def submission() -> Iterator[Submission]:
    try:
        submission = Submission(1000)
    except OSError as error:
        missing(f"this system has no io_submit: {error}")
    yield submission
    submission.close()


class Line:
    """Two sockets that are connected, and our end of it as the tables see it."""

    name = "line"

    def __init__(self) -> None:
        self.near, self.far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for end in (self.near, self.far):
            end.bind(("127.0.0.1", 0))
            end.setblocking(False)
        self.near.connect(self.far.getsockname())
        self.far.connect(self.near.getsockname())

    def fileno(self) -> int:
        return self.near.fileno()

    def receive(self) -> None: ...
    def tick(self) -> None: ...
    def check(self, now: float) -> None: ...
    def removed(self, broken: bool) -> None: ...
    def send_apart(self) -> None: ...
    def go_apart(self) -> None: ...
    def settle(self) -> None: ...
    def take_apart(self, data: bytes, now: float) -> None: ...

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def lines() -> Iterator[Callable[[Line], Line]]:
    """Closes lines when the test is over."""
    made: list[Line] = []

    def keep(line: Line) -> Line:
        made.append(line)
        return line

    yield keep
    for line in made:
        line.close()


def fail(stream: object) -> None:
    pytest.fail(f"{stream} has failed")


# -- on their way in


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


# -- on their way out


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


# -- the calls of the kernel


def test_the_kernel_s_answers_are_told_and_none_are_waited_for(submission: Submission) -> None:
    assert len(submission.run(0, 0, 0)) == 0
    with pytest.raises(OSError, match="io_submit"):
        submission.run(0, 1, 0)
    submission.close()
    submission.close()
    with pytest.raises(OSError, match="closed"):
        submission.run(0, 1, 0)


def test_a_system_without_it_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(OSError, match="not known"):
        Submission(10)
    monkeypatch.undo()
    with pytest.raises(OSError, match="io_setup"):
        Submission(1 << 20)


@pytest.mark.parametrize("when", ["from the start", "in mid-call"])
def test_where_the_kernel_does_not_do_it_calls_go_on_alone(
    loop_of: Callable[[bool], MediaLoop], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "on purpose")

    if when == "from the start":
        monkeypatch.setattr(Submission, "__init__", refuse)
    with caplog.at_level("INFO"), call(loop_of(True)) as (side, peer):
        ear = Sink()
        side.stream.record(ear)
        payload = b"".join(numbered(60))
        side.stream.play(payload, "token")
        peer.say(side.stream, numbered(20), FAST)
        side.wait_received(20)
        monkeypatch.setattr(Submission, "run", refuse)
        peer.say(side.stream, numbered(20, 20), FAST)
        peer.press(side.stream, 1)
        side.wait_event(Digit("1"))
        side.wait_event(PlaybackDone("token"))
        until(lambda: set(peer.heard[-1][1].payload) == {0xFF}, what="silence behind the playback")
        heard = [packet.payload for _, packet in tuple(peer.heard)]
        side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(40))
    packets = [packet for _, packet in peer.heard]
    # Where it was refused a packet may be lost, but no number stands for two of them.
    played = [frame for frame in heard if frame in payload]
    assert played == [frame for frame in numbered(60) if frame in played]
    assert len(played) >= (59 if when == "in mid-call" else 60)
    assert {(two.sequence - one.sequence) & 0xFFFF for one, two in itertools.pairwise(packets)} <= {1, 2}
    assert "one by one" in caplog.text


def test_a_second_fault_costs_the_call_that_has_it_alone(
    loop_of: Callable[[bool], MediaLoop], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Sink):
        due = 100_000

        def frame(self, payload: bytes) -> None:
            if refused:
                raise RuntimeError("on purpose")

    def refuse(*_: object) -> None:
        refused.append(True)
        raise OSError(errno.EPERM, "on purpose")

    refused: list[bool] = []
    loop = loop_of(True)
    with call(loop) as (side, peer), call(loop) as (other, caller):
        side.stream.record(Failing())
        ear = Sink()
        other.stream.record(ear)
        for each, far in ((side, peer), (other, caller)):
            far.say(each.stream, numbered(12))
            each.wait_received(12)
        monkeypatch.setattr(Submission, "run", refuse)
        side.wait_event(MediaTimeout())
        side.wait_closed()
        caller.say(other.stream, numbered(4, 12), FAST)
        other.wait_received(16)
        other.stream.stop_recording()
        # A pause may be filled up meanwhile.
        assert ear.heard.replace(b"\xff" * 160, b"") == b"".join(numbered(16))
    assert "on purpose" in caplog.text


def test_what_came_before_the_end_of_a_recording_is_in_it(loop: MediaLoop) -> None:
    """Also what has not been read yet: a recording is read seldom."""

    class Patient(Sink):
        due = 100_000
        is_patient = True

    with call(loop) as (side, peer):
        for turn in range(6):
            ear = Patient()
            side.stream.record(ear)
            frames = numbered(13, 13 * turn)
            peer.say(side.stream, frames, 0.02)
            side.stream.stop_recording()
            assert ear.heard == b"".join(frames)


def test_what_came_before_a_pause_is_filled_up_is_before_the_filling(loop: MediaLoop) -> None:
    class Patient(Sink):
        due = 100_000
        is_patient = True

    ear = Patient()
    with call(loop) as (side, peer):
        side.stream.record(ear)
        peer.say(side.stream, numbered(20))
        waiting = side.stream.statistics.received
        until(lambda: len(ear.heard) > 160 * (waiting + 30), what="the pause to be filled up")
        side.stream.stop_recording()
    assert ear.heard.startswith(b"".join(numbered(20)))
    assert set(ear.heard[160 * 20 :]) == {0xFF}


def test_streams_that_do_all_kinds_of_things(loop_of: Callable[[bool], MediaLoop]) -> None:
    """Hold, other packets, other addresses, keys: each in its turn, while the others go on."""
    dice = random.Random(3)
    loop = loop_of(True)
    peers = [Peer() for _ in range(12)]
    sides = [Side(loop, peer) for peer in peers]
    ears = [Sink() for _ in sides]
    for side, ear in zip(sides, ears, strict=True):
        side.stream.start()
        side.stream.record(ear)
    said: list[list[bytes]] = [[] for _ in sides]
    for _ in range(30):
        for place, (side, peer) in enumerate(zip(sides, peers, strict=True)):
            frames = numbered(dice.randint(1, 4), peer.number)
            said[place] += frames
            peer.say(side.stream, frames, 0)
            act = dice.random()
            if act < 0.1:
                side.stream.play(dice.randbytes(dice.randint(1, 3000)), place)
            elif act < 0.15:
                side.stream.stop_playback()
            elif act < 0.2:
                side.stream.ptime = dice.choice((10, 20, 30))
            elif act < 0.25:
                side.stream.digit("7")
            elif act < 0.3:
                side.stream.renumber(0, dice.choice((101, 102)))
    for side, peer, ear, frames in zip(sides, peers, ears, said, strict=True):
        side.wait_received(len(frames))
        side.stream.stop()
        side.wait_closed()
        peer.close()
        assert ear.heard == b"".join(frames)
        numbers = [packet.sequence for _, packet in peer.heard]
        assert {(two - one) & 0xFFFF for one, two in itertools.pairwise(numbers)} == {1}
    assert len(loop) == 0


def test_a_recording_is_read_seldom_until_something_may_happen_in_it(loop_of: Callable[[bool], MediaLoop]) -> None:
    with call(loop_of(True)) as (side, peer):
        peer.say(side.stream, numbered(4))
        until(lambda: _reads(side) == READS_OFTEN, what="a call that records nothing to be read often")
        ear = Sink()
        for patient, expected in ((True, READS_SELDOM), (False, READS_OFTEN), (True, READS_SELDOM)):
            ear.is_patient = patient
            side.stream.record(ear)
            peer.say(side.stream, numbered(4, peer.number))
            until(lambda expected=expected: _reads(side) == expected, what=f"{expected} reads, patient: {patient}")


def test_of_few_none_is_read_seldom() -> None:
    class Patient(Sink):
        due = 100_000
        is_patient = True

    loop = MediaLoop(crowd=2)
    loop.start()
    with call(loop) as (one, first), contextlib.ExitStack() as stack:
        ear = Patient()
        one.stream.record(ear)
        first.say(one.stream, numbered(5))
        until(lambda: _reads(one) == READS_OFTEN, what="the only call to be read often")
        two, second = stack.enter_context(call(loop))
        two.stream.record(Patient())
        second.say(two.stream, numbered(5))
        until(lambda: _reads(two) == READS_SELDOM, what="the second of two to be read seldom")
    loop.stop()


def test_from_the_first_call_on_they_send_and_read_together() -> None:
    loop = MediaLoop()
    loop.start()
    with call(loop) as (side, peer):
        peer.say(side.stream, numbered(5))
        until(lambda: side.stream._sender.departure is not None and _reads(side) > 0, what="the call to be together")
    loop.stop()


def _reads(side: Side) -> int:
    """Of a visit; 0 where it reads by itself."""
    waits_at = side.stream._receiver.waits_at
    return waits_at.table.reads if isinstance(waits_at, Waiting) else 0
