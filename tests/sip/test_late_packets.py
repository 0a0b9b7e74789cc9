"""RTP ports that are used again: late packets of the old call do not get into the new one."""

from __future__ import annotations

import socket

from tests.media.peer import Ear, numbered
from tests.sip.conftest import Desk
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.media import rtp
from voice.media.rtp import RTPPacket
from voice.sip import Phone
from voice.sip.ports import DRAIN_SECONDS, PortPool

STALE, FRESH = 0xBAD, 0x600D


def test_late_packets_of_the_old_call_do_not_reach_the_new_one(phone: Phone, peer: Peer, desk: Desk) -> None:
    """The old phone never heard of the end of its call, and goes on after the port has rested."""
    low = phone.ports.take()
    assert low is not None
    now = [100.0]
    phone.ports = PortPool(low, low + 1, lambda: now[0])
    with _phone() as old, _phone() as new:
        leg = Leg(peer)
        answer = leg.establish(body=audio(port=old.getsockname()[1]))
        assert answer.sdp is not None
        to = ("127.0.0.1", answer.sdp.media[0].port)
        _say(old, to, STALE, 0, 3)
        until(lambda: desk.calls[0].stream.statistics.received == 3, what="the old call's audio")
        assert leg.ask("BYE").code == 200
        until(lambda: phone.ports._draining, what="the port to be given back")
        refused = Leg(peer)
        refused.invite()
        assert refused.final().code == 503, "it rests"
        now[0] += DRAIN_SECONDS
        second = Leg(peer)
        answer = second.establish(body=audio(port=new.getsockname()[1]))
        assert answer.sdp is not None
        assert answer.sdp.media[0].port == to[1], "the same port again"
        stream = desk.calls[-1].stream
        ear = Ear()
        _say(old, to, STALE, 3, 3)
        _say(new, to, FRESH, 0, 1)
        until(lambda: _latched(stream), what="the new phone")
        stream.record(ear)
        stream._loop.call(lambda: None)
        _say(old, to, STALE, 6, 5)
        _say(new, to, FRESH, 1, 5)
        until(lambda: len(ear.heard) >= 5 * 160, what="the new call's audio")
        stream.stop_recording()
        assert ear.heard == b"".join(numbered(5, 1))
        assert second.ask("BYE").code == 200


def _phone() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def _say(sock: socket.socket, to: tuple[str, int], ssrc: int, first: int, count: int) -> None:
    for number, payload in enumerate(numbered(count, first), first):
        sock.sendto(rtp.build(RTPPacket(0, number, number * 160, ssrc, payload)), to)


def _latched(stream) -> bool:
    return stream._receiver.ssrc == FRESH and stream._socket._latched
