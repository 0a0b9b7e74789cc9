"""The loop's clockwork, on a clock of its own: to the millisecond and without waiting."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.media.conftest import VirtualTime
from tests.support import until
from voice.media import tones
from voice.media.loop import GIVEN_SECONDS, OPENED, OPENED_TOGETHER, PERIOD, RESYNC_SECONDS, SLOTS, MediaLoop

FRAME = 0.02


class Metronome:
    """A stream that notes when it was asked to send, and does something at the tick one names."""

    def __init__(self, loop: MediaLoop, stop_after: int, name: str = "metronome") -> None:
        self.name, self._loop, self._stop_after = name, loop, stop_after
        self.ticks: list[float] = []
        self.checks: list[float] = []
        self.at: dict[int, Callable[[], None]] = {}
        self.ended: list[bool] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> None:
        self._socket.recv(2048)
        raise RuntimeError("this stream cannot receive")

    def poke(self) -> None:
        """Send it something."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", self._socket.getsockname())

    def tick(self) -> None:
        self.ticks.append(self._loop.now)
        if act := self.at.get(len(self.ticks)):
            act()
        if len(self.ticks) == self._stop_after:
            self._loop.remove(self)

    def check(self, now: float) -> None:
        self.checks.append(now)

    def removed(self, broken: bool) -> None:
        self.ended.append(broken)
        self._socket.close()

    def wait_ended(self) -> None:
        until(lambda: self.ended, what=f"the end of {self.name} after {len(self.ticks)} ticks")


def gaps(stream: Metronome) -> list[float]:
    return [round(two - one, 6) for one, two in pairwise(stream.ticks)]


def test_a_stream_sends_each_20_ms_and_is_checked_each_second(paced: MediaLoop) -> None:
    stream = Metronome(paced, 1001)
    paced.add(stream)
    stream.wait_ended()
    assert gaps(stream) == [FRAME] * 1000
    assert {round(two - one, 6) for one, two in pairwise(stream.checks)} == {1.0}
    assert len(stream.checks) in {20, 21}
    assert stream.ended == [False]
    assert (paced.late, paced.resynced, len(paced)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("together", "count", "slots"),
    [
        (False, 10, 2), (False, 2 * OPENED[2] + 10, SLOTS),
        (True, OPENED_TOGETHER[1], 1), (True, OPENED_TOGETHER[1] + 10, 2), (True, 2 * OPENED_TOGETHER[2] + 10, SLOTS),
    ],
)  # fmt: skip
def test_streams_share_the_slots_and_none_goes_short(
    clock: VirtualTime, loop_of: Callable[[bool], MediaLoop], together: bool, count: int, slots: int
) -> None:
    paced = loop_of(together)
    streams = [Metronome(paced, 100 + number, str(number)) for number in range(count)]
    paced.submit(lambda: [paced._add(stream) for stream in streams])
    for stream in streams:
        stream.wait_ended()
    for number, stream in enumerate(streams):
        assert gaps(stream) == [FRAME] * (99 + number)
    moments = {round((stream.ticks[0] - streams[0].ticks[0]) / PERIOD) for stream in streams}
    assert len(moments) == slots


def test_a_stream_may_be_ticked_each_10_ms_and_each_20_ms_again(paced: MediaLoop) -> None:
    often, usual = Metronome(paced, 400, "often"), Metronome(paced, 300, "usual")
    often.at[100] = lambda: paced.submit(lambda: paced.pace(often, often=True))
    often.at[300] = lambda: paced.submit(lambda: paced.pace(often, often=False))
    paced.submit(lambda: [paced._add(often), paced._add(usual), paced.pace(often, often=False)])
    for stream in (often, usual):
        stream.wait_ended()
    assert gaps(often) == [FRAME] * 99 + [FRAME / 2] * 200 + [FRAME] * 100
    assert gaps(usual) == [FRAME] * 299
    assert not any(paced._slots), "nothing is left of them"


def test_a_stream_that_breaks_or_is_removed_is_ticked_in_neither_slot(paced: MediaLoop) -> None:
    def fail() -> None:
        raise RuntimeError("on purpose")

    broken, removed, sound = (
        Metronome(paced, 50 if name == "removed" else 300, name) for name in ("broken", "removed", "sound")
    )
    broken.at[20] = fail
    for stream in (broken, removed, sound):
        paced.add(stream)
        paced.submit(lambda stream=stream: paced.pace(stream, often=True))
    for stream in (broken, removed, sound):
        stream.wait_ended()
    assert [len(stream.ticks) for stream in (broken, removed, sound)] == [20, 50, 300]
    assert gaps(sound) == [FRAME / 2] * 299
    paced.call(lambda: paced.pace(sound, often=True))
    assert not any(paced._slots), "what is over is not ticked again"


def test_a_short_stall_is_made_up_and_does_not_shift_the_pace(paced: MediaLoop, clock: VirtualTime) -> None:
    stream = Metronome(paced, 201)
    stream.at[100] = lambda: clock.stall(0.11)
    paced.add(stream)
    stream.wait_ended()
    assert stream.ticks[200] - stream.ticks[0] == pytest.approx(200 * FRAME)
    assert max(gaps(stream)) == pytest.approx(0.13, abs=0.021)
    assert paced.late > 0
    assert paced.resynced == 0


def test_after_a_long_stall_the_missed_time_is_given_up(paced: MediaLoop, clock: VirtualTime) -> None:
    stream = Metronome(paced, 201)
    stream.at[100] = lambda: clock.stall(5.0)
    paced.add(stream)
    stream.wait_ended()
    assert paced.resynced == 1
    assert stream.ticks[200] - stream.ticks[0] > 200 * FRAME + 5 - RESYNC_SECONDS
    assert gaps(stream)[101:] == [FRAME] * 99


def test_where_the_loop_cannot_keep_up_others_get_their_turn(paced: MediaLoop, clock: VirtualTime) -> None:
    """Else with more calls than the processor carries no hang-up would be heard, and all of them would go on."""
    stream = Metronome(paced, 400)
    # Each packet takes 30 ms.
    for number in range(1, 400):
        stream.at[number] = lambda: clock.sleep(0.03)
    paced.add(stream)
    stream.wait_ended()
    assert sum(gap > GIVEN_SECONDS for gap in gaps(stream)) == paced.resynced >= 10


@pytest.mark.parametrize("fault", ["while sending", "in a command"])
def test_a_broken_stream_ends_alone(paced: MediaLoop, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("on purpose")

    broken, sound = Metronome(paced, 1000, "broken"), Metronome(paced, 300, "sound")
    broken.at[10] = fail if fault == "while sending" else lambda: paced.submit(fail)
    broken.at[20] = lambda: paced.remove(broken)
    paced.add(broken)
    paced.add(sound)
    sound.wait_ended()
    assert broken.ended == [fault == "while sending"]
    assert gaps(sound) == [FRAME] * 299
    assert "on purpose" in caplog.text


def test_a_stream_that_cannot_receive_ends_alone(loop: MediaLoop, caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = Metronome(loop, 10_000, "broken"), Metronome(loop, 20, "sound")
    loop.add(broken)
    loop.add(sound)
    broken.poke()
    broken.wait_ended()
    sound.wait_ended()
    assert (broken.ended, sound.ended) == ([True], [False])
    assert "call=broken" in caplog.text


def test_adding_and_removing_twice_is_once(loop: MediaLoop) -> None:
    stream = Metronome(loop, 10_000)
    loop.add(stream)
    loop.add(stream)
    until(lambda: len(loop) == 1, what="the stream")
    loop.remove(stream)
    loop.remove(stream)
    loop.call(lambda: None)
    assert stream.ended == [False]
    assert len(loop) == 0


def test_stop_ends_all_streams_and_what_comes_after_it_is_ended_at_once() -> None:
    loop = MediaLoop()
    loop.start()
    streams = [Metronome(loop, 10_000) for _ in range(5)]
    for stream in streams[:4]:
        loop.add(stream)
    loop.stop()
    loop.stop()
    loop.add(streams[4])
    assert [stream.ended for stream in streams] == [[False]] * 5
    called: list[int] = []
    loop.call(lambda: called.append(threading.get_ident()))
    assert called == [threading.get_ident()]


def test_call_runs_in_the_loops_thread_and_waits_for_it(loop: MediaLoop) -> None:
    where: list[str] = []
    stream = Metronome(loop, 10_000)
    loop.add(stream)
    loop.call(lambda: where.append(threading.current_thread().name))
    assert where == ["media"]
    loop.call(lambda: loop.call(lambda: where.append("within")))
    assert where == ["media", "within"]


@pytest.mark.parametrize("tone", [tones.beep, tones.confirmation, tones.failure])
def test_a_tone_is_whole_frames_and_clicks_at_neither_end(tone: Callable[[], bytes]) -> None:
    pcm16 = memoryview(tone()).cast("h")
    assert len(pcm16) % 160 == 0
    assert pcm16[0] == pcm16[-1] == 0
    assert 20 * math.log10(max(pcm16) / 32768) == pytest.approx(-12, abs=0.1)
    assert max(abs(two - one) for one, two in pairwise(pcm16)) < 8000
