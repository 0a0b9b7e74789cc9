"""What the tests of media share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.media.peer import Peer, Side
from voice.media.loop import MediaLoop

settings.register_profile("media", deadline=None, database=None)
settings.load_profile("media")


@pytest.fixture
def loop() -> Iterator[MediaLoop]:
    loop = MediaLoop()
    loop.start()
    yield loop
    loop.stop()


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
