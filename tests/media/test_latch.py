"""Who is heard, and where packets go: latching, strangers, addresses that change."""

from __future__ import annotations

import pytest

from tests.media.peer import HOST, Ear, Peer, Side, numbered
from tests.support import until
from voice.media.loop import MediaLoop

FAST = 0.004


def test_a_stranger_is_not_heard_once_the_stream_is_latched(side: Side, peer: Peer) -> None:
    ear = Ear()
    side.stream.record(ear)
    peer.say(side.stream, numbered(5), FAST)
    side.wait_received(5)
    stranger = Peer(ssrc=0xBAD)
    stranger.say(side.stream, [b"\x66" * 160] * 20, 0)
    stranger.press(side.stream, 1)
    peer.say(side.stream, numbered(5, 5), FAST)
    side.wait_received(10)
    heard_before = len(peer.heard)
    until(lambda: len(peer.heard) > heard_before + 2, what="packets to the peer")
    side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(10))
    assert side.events == []
    assert stranger.heard == []
    assert side.stream.statistics.received == 10
    stranger.close()


def test_packets_go_to_where_the_peer_sends_from(loop: MediaLoop, peer: Peer) -> None:
    """Behind a NAT the address in the SDP is not the one that packets come from."""
    announced = Peer()
    side = Side(loop, announced)
    side.stream.start()
    until(lambda: announced.heard, what="packets to the address announced")
    peer.say(side.stream, numbered(3))
    until(lambda: len(peer.heard) > 3, what="packets to the source")
    side.stream.stop()
    side.wait_closed()
    announced.close()


SOMEWHERE = "127.0.0.7"
"""A host of which nobody knows anything."""


@pytest.mark.parametrize("known_by", ["announced", "host", "signalling"])
def test_a_stranger_who_is_first_gives_way_to_the_other_side(
    loop: MediaLoop, monkeypatch: pytest.MonkeyPatch, known_by: str
) -> None:
    monkeypatch.setattr("voice.media.latch.SILENT_SECONDS", 60)
    stranger, peer = Peer(host=SOMEWHERE, ssrc=0xBAD), Peer()
    announced = Peer() if known_by == "host" else peer
    if known_by == "signalling":
        announced = Peer(host="127.0.0.8")
    side = Side(loop, announced, signalling=HOST if known_by == "signalling" else "")
    side.stream.inIP = "0.0.0.0"
    side.stream.start()
    to_side = _Address(side)
    stranger.say(to_side, [b"\x66" * 160] * 3, FAST)
    until(lambda: stranger.heard, what="packets to the only one who speaks")
    ear = Ear()
    side.stream.record(ear)
    peer.say(to_side, numbered(5), FAST)
    side.wait_received(8)
    stranger.say(to_side, [b"\x66" * 160] * 5, FAST)
    stranger.press(to_side, 1)
    peer.say(to_side, numbered(5, 5), FAST)
    side.wait_received(13)
    count = len(peer.heard)
    until(lambda: len(peer.heard) > count + 3, what="packets to the peer")
    side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(10))
    assert side.events == []
    side.stream.stop()
    side.wait_closed()
    for one in {stranger, peer, announced}:
        one.close()


def test_a_source_that_falls_silent_on_probation_locks_nobody_out(
    loop: MediaLoop, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late packet of the call before, from a host that is as unknown as the one that speaks now."""
    monkeypatch.setattr("voice.media.latch.SILENT_SECONDS", 0.05)
    old, new = Peer(host=SOMEWHERE, ssrc=0xBAD), Peer(host="127.0.0.8")
    side = Side(loop, peer)
    side.stream.inIP = "0.0.0.0"
    side.stream.start()
    old.say(_Address(side), numbered(1), 0)
    side.wait_received(1)
    new.say(_Address(side), numbered(20))
    until(lambda: len(new.heard) > 3, what="packets to the one who speaks")
    side.stream.stop()
    side.wait_closed()
    old.close()
    new.close()


def test_who_stays_alone_on_probation_gives_way_to_no_other_stranger_and_to_the_other_side(
    loop: MediaLoop, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side may say nothing for a while, as with silence suppression: its call is its own all the same."""
    monkeypatch.setattr("voice.media.latch.PROBATION_SECONDS", 0.05)
    monkeypatch.setattr("voice.media.latch.SILENT_SECONDS", 0)
    alone, another = Peer(host=SOMEWHERE), Peer(host="127.0.0.9", ssrc=0xBAD)
    side = Side(loop, peer)
    side.stream.inIP = "0.0.0.0"
    side.stream.start()
    alone.say(_Address(side), numbered(10))
    side.wait_received(10)
    until(lambda: side.stream._socket._is_settled, what="the end of the probation")
    received = side.stream.statistics.received
    another.say(_Address(side), numbered(5), FAST)
    alone.say(_Address(side), numbered(1, 10), FAST)
    side.wait_received(received + 1)
    assert side.stream.statistics.received == received + 1
    assert not side.stream._socket._latched
    peer.say(_Address(side), numbered(5), FAST)
    until(lambda: side.stream._socket._latched, what="the latch")
    assert side.stream._socket.source == HOST
    side.wait_received(received + 6)
    alone.say(_Address(side), numbered(5), FAST)
    peer.say(_Address(side), numbered(1, 5), FAST)
    side.wait_received(received + 7)
    assert side.stream.statistics.received == received + 7
    side.stream.stop()
    side.wait_closed()
    alone.close()
    another.close()


def test_a_known_host_is_tied_to_after_its_probation(
    loop: MediaLoop, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voice.media.latch.PROBATION_SECONDS", 0.05)
    announced = Peer()
    side = Side(loop, announced)
    side.stream.start()
    peer.say(side.stream, numbered(10))
    until(lambda: side.stream._socket._latched, what="the latch")
    side.stream.stop()
    side.wait_closed()
    announced.close()


class _Address:
    """A stream as those see it who send to it."""

    def __init__(self, side: Side) -> None:
        self.inIP, self.inPort, self._loop = HOST, side.stream.inPort, side.stream._loop


def test_a_new_address_is_latched_though_the_old_one_still_sends(
    side: Side, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voice.media.latch.SETTLE_SECONDS", 60)
    peer.say(side.stream, numbered(5), FAST)
    side.wait_received(5)
    moved = Peer(ssrc=0xACE)
    side.stream.retarget(HOST, moved.port)
    until(lambda: moved.heard, what="packets to the new address")
    peer.say(side.stream, numbered(3), FAST)
    side.wait_received(8)
    ear = Ear()
    side.stream.record(ear)
    moved.say(side.stream, numbered(10), FAST)
    side.wait_received(18)
    peer.say(side.stream, [b"\x66" * 160] * 5, FAST)
    count = len(moved.heard)
    until(lambda: len(moved.heard) > count + 3, what="packets to the new address")
    side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(10))
    assert side.stream.statistics.received == 18
    moved.close()


def test_an_address_that_is_announced_but_never_used_costs_nothing(
    side: Side, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As baresip did it: 192.0.2.2 in the SDP of a re-INVITE, packets from where they always came."""
    monkeypatch.setattr("voice.media.latch.SETTLE_SECONDS", 0.2)
    ear = Ear()
    side.stream.record(ear)
    peer.say(side.stream, numbered(5), FAST)
    side.wait_received(5)
    side.stream.retarget("192.0.2.2", 4000)
    peer.say(side.stream, numbered(30, 5))
    side.wait_received(35)
    count = len(peer.heard)
    until(lambda: len(peer.heard) > count + 3, what="packets to the peer")
    side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(35))


@pytest.mark.parametrize(
    ("host", "port"), [("0.0.0.0", 4000), ("pbx.example.com", 4000), ("239.1.1.1", 4000), ("127.0.0.1", 0)]
)
def test_where_nothing_can_be_sent_to_nothing_is_sent_until_the_peer_speaks(
    loop: MediaLoop, peer: Peer, host: str, port: int
) -> None:
    side = Side(loop, peer)
    side.stream.retarget(host, port)
    side.stream.start()
    began = loop.now
    until(lambda: loop.now > began + 0.1, what="five ticks")
    assert side.stream.statistics.sent == 0
    peer.say(side.stream, numbered(2))
    until(lambda: len(peer.heard) >= 3, what="packets to where the peer sends from")
    side.stream.stop()
    side.wait_closed()
