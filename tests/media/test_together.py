"""Many streams that send and read in one call of the kernel: nobody on the line can tell."""

from __future__ import annotations

import contextlib
import errno
import itertools
import random
from collections.abc import Callable

import pytest

from tests.media.peer import Ear as Sink
from tests.media.peer import Peer, Side, call, numbered
from tests.support import until
from voice.events import Digit, MediaTimeout, PlaybackDone
from voice.media.arrivals import Waiting
from voice.media.loop import MediaLoop
from voice.media.submission import Submission
from voice.media.together import READS_OFTEN, READS_SELDOM

FAST = 0.002


class Patient(Sink):
    """An ear that may be told late of what it hears."""

    due = 100_000
    is_patient = True


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

    with call(loop) as (side, peer):
        for turn in range(6):
            ear = Patient()
            side.stream.record(ear)
            frames = numbered(13, 13 * turn)
            peer.say(side.stream, frames, 0.02)
            side.stream.stop_recording()
            assert ear.heard == b"".join(frames)


def test_what_came_in_the_moment_in_which_a_recording_ends_is_in_it(loop: MediaLoop) -> None:
    """Commands come before sockets in a round of the loop."""
    with call(loop) as (side, peer):
        ear = Patient()
        side.stream.record(ear)
        peer.say(side.stream, numbered(13))
        side.wait_received(13)
        loop.call(lambda: (peer.say(side.stream, numbered(1, 13), 0), side.stream._listen())[1])
        assert ear.heard == b"".join(numbered(14))


def test_what_came_before_a_pause_is_filled_up_is_before_the_filling(loop: MediaLoop) -> None:
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
