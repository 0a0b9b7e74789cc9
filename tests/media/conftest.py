"""What the tests of media share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from tests.media.peer import Peer, Side
from tests.media.tables import Line
from tests.support import missing
from voice.media.loop import MediaLoop
from voice.media.submission import Submission

settings.register_profile("media", deadline=None, database=None)
settings.load_profile("media")


@pytest.fixture
def loop_of() -> Iterator[Callable[[bool], MediaLoop]]:
    """Starts loops, whose streams may send and read together with others or not."""
    loops: list[MediaLoop] = []

    def start(together: bool) -> MediaLoop:
        loops.append(MediaLoop(together, crowd=1))
        loops[-1].start()
        return loops[-1]

    yield start
    for loop in loops:
        loop.stop()


@pytest.fixture(params=[True, False], ids=["together", "alone"])
def loop(request: pytest.FixtureRequest, loop_of: Callable[[bool], MediaLoop]) -> MediaLoop:
    return loop_of(request.param)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def side(loop: MediaLoop, peer: Peer) -> Iterator[Side]:
    side = Side(loop, peer)
    side.stream.start()
    yield side
    side.stream.stop()
    side.wait_closed()


@pytest.fixture
def submission() -> Iterator[Submission]:
    try:
        submission = Submission(1000)
    except OSError as error:
        missing(f"this system has no io_submit: {error}")
    yield submission
    submission.close()


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


class VirtualTime:
    """A clock that sleep() moves on. stall() makes the thread that sleeps next oversleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._oversleep = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self._oversleep
        self._oversleep = 0.0

    def stall(self, seconds: float) -> None:
        self._oversleep = seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    clock = VirtualTime()
    monkeypatch.setattr("voice.media.loop.time", clock)
    return clock


@pytest.fixture
def paced(clock: VirtualTime, loop_of: Callable[[bool], MediaLoop]) -> MediaLoop:
    """A loop on the virtual clock, whose streams send by themselves."""
    return loop_of(False)
