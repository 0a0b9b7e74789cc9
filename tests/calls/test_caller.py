"""Our own caller against a peer whose every datagram is scripted."""

from __future__ import annotations

import socket
import threading
from array import array
from collections.abc import Callable, Iterator

import pytest

from voice.caller import Caller, CallFailed
from voice.caller.tones import ToneFinder, tone_share
from voice.media import FRAME_SAMPLES, tones
from voice.media.dtmf import EventReceiver
from voice.media.g711 import Law, encode
from voice.media.rtp import RTPPacket, build, parse
from voice.sip.message import SipMessage
from voice.sip.response import build_response
from voice.sip.sdp import agree, write_answer

HOST = "127.0.0.1"
CONTACT = (("Contact", f"<sip:peer@{HOST}:9>"),)


class Peer:
    """A SIP and an RTP socket; what it does is said by a function that runs in a thread of its own."""

    def __init__(self) -> None:
        self.sip, self.rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self.sip, self.rtp):
            sock.bind((HOST, 0))
            sock.settimeout(10)
        self.port: int = self.sip.getsockname()[1]
        self.source = (HOST, 0)
        self.got: list[str] = []
        self.error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def runs(self, script: Callable[[Peer], None]) -> None:
        def run() -> None:
            try:
                script(self)
            except BaseException as error:
                self.error = error

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def receive(self, method: str) -> SipMessage:
        """The next request or response with this method; others in between are noted and dropped."""
        while True:
            data, self.source = self.sip.recvfrom(65535)
            message = SipMessage(data, self.source)
            self.got.append(message.method or f"{message.code} {message.cseq[1]}")
            if self.got[-1] == method:
                return message

    def reply(self, request: SipMessage, status: int, content: bytes = b"") -> None:
        data = build_response(
            request, status, to_tag="peer", headers=CONTACT, content=content, content_type="application/sdp"
        )
        self.sip.sendto(data, self.source)

    def answer(self, request: SipMessage) -> None:
        offer = request.sdp
        assert offer is not None
        self.agreed = agree(offer)
        self.reply(request, 200, write_answer(offer, self.agreed, HOST, self.rtp.getsockname()[1], "1", 1))

    def ended(self) -> None:
        assert self._thread is not None
        self._thread.join(15)
        assert not self._thread.is_alive()
        assert self.error is None, self.error


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.sip.close()
    made.rtp.close()


def test_an_invite_is_repeated_until_somebody_answers(peer: Peer) -> None:
    def script(peer: Peer) -> None:
        first = peer.receive("INVITE")
        again = peer.receive("INVITE")
        assert (again.call_id, again.vias[0].branch) == (first.call_id, first.vias[0].branch)
        peer.reply(again, 100)
        peer.answer(again)
        ack = peer.receive("ACK")
        assert ack.uri.raw == f"sip:peer@{HOST}:9"
        assert ack.vias[0].branch != first.vias[0].branch
        # Our ACK may be lost as well.
        peer.answer(again)
        peer.receive("ACK")
        bye = peer.receive("BYE")
        assert bye.cseq == (2, "BYE")
        assert bye.to.tag == "peer"
        peer.reply(bye, 200)

    peer.runs(script)
    with Caller(HOST, peer.port) as caller:
        caller.dial("1001")
        assert caller.wait(lambda: peer.got.count("ACK") == 2, 5)
        caller.hang_up()
        assert caller.ended
        assert not caller.signalling.ended_by_peer
    peer.ended()


def test_a_refusal_is_acknowledged_and_said(peer: Peer) -> None:
    def script(peer: Peer) -> None:
        invite = peer.receive("INVITE")
        peer.reply(invite, 503)
        ack = peer.receive("ACK")
        assert ack.vias[0].branch == invite.vias[0].branch

    peer.runs(script)
    with Caller(HOST, peer.port) as caller, pytest.raises(CallFailed, match="takes no calls at the moment") as refused:
        caller.dial("1001")
    assert refused.value.status == 503
    peer.ended()


def test_cancel(peer: Peer) -> None:
    def script(peer: Peer) -> None:
        invite = peer.receive("INVITE")
        peer.reply(invite, 180)
        cancel = peer.receive("CANCEL")
        assert cancel.vias[0].branch == invite.vias[0].branch
        peer.reply(cancel, 200)
        peer.reply(invite, 487)
        peer.receive("ACK")

    peer.runs(script)
    with Caller(HOST, peer.port) as caller:
        caller.invite("1001")
        assert caller.wait(lambda: caller.signalling.ringing, 5)
        assert caller.cancel().code == 487
    peer.ended()


def test_bye_is_answered(peer: Peer) -> None:
    def script(peer: Peer) -> None:
        invite = peer.receive("INVITE")
        peer.answer(invite)
        ack = peer.receive("ACK")
        lines = [
            f"BYE sip:test@{HOST}:{peer.source[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{peer.port};branch=z9hG4bKpeer",
            f"From: {ack.header('To')}",
            f"To: {ack.header('From')}",
            f"Call-ID: {ack.call_id}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
            "",
            "",
        ]
        peer.sip.sendto("\r\n".join(lines).encode(), peer.source)
        peer.receive("200 BYE")

    peer.runs(script)
    with Caller(HOST, peer.port) as caller:
        caller.dial("1001")
        assert caller.wait(lambda: caller.signalling.ended_by_peer, 5)
    peer.ended()


def test_speech_and_keys_on_the_wire(peer: Peer) -> None:
    said = bytes(range(160)) * 3

    def script(peer: Peer) -> None:
        peer.answer(peer.receive("INVITE"))

    peer.runs(script)
    with Caller(HOST, peer.port) as caller:
        caller.dial("1001", Law.PCMA)
        peer.ended()
        assert peer.agreed.law is Law.PCMA
        caller.speak(said + b"\x01")
        caller.press("#1")
        caller.listen(0.1)
        sent = caller.sent
    packets = _received(peer.rtp)
    numbers = [packet.sequence for packet in packets]
    assert [(number - numbers[0]) & 0xFFFF for number in numbers] == list(range(len(numbers)))
    audio = b"".join(packet.payload for packet in packets if packet.payload_type == 8)
    assert audio == sent
    assert said + b"\x01" + Law.PCMA.silence(159) in audio
    receiver = EventReceiver()
    events = [packet for packet in packets if packet.payload_type == peer.agreed.event_payload_type]
    assert [key for e in events if (key := receiver.put(e.ssrc, e.timestamp, e.payload))] == ["#", "1"]
    assert len({event.timestamp for event in events}) == 2


def test_a_tone_is_heard_and_waited_for(peer: Peer) -> None:
    def script(peer: Peer) -> None:
        invite = peer.receive("INVITE")
        peer.answer(invite)
        peer.receive("ACK")
        _, target = peer.rtp.recvfrom(4096)
        payload = encode(bytes(3200) + tones.beep() + bytes(6400), Law.PCMU)
        frames = [payload[start : start + FRAME_SAMPLES] for start in range(0, len(payload), FRAME_SAMPLES)]
        packets = [build(RTPPacket(0, 65530 + n, n * 160, 7, frame)) for n, frame in enumerate(frames)]
        # Two packets change places on their way.
        packets[3], packets[4] = packets[4], packets[3]
        for packet in (b"", b"\x80", *packets):
            peer.rtp.sendto(packet, target)
        peer.receive("BYE")

    peer.runs(script)
    with Caller(HOST, peer.port) as caller:
        caller.dial("1001")
        caller.wait_tone(tones.BEEP_HZ, 5, to_its_end=True)
        assert encode(tones.beep(), Law.PCMU) in b"".join(caller.frames)
        with pytest.raises(CallFailed, match="660 Hz was not heard"):
            caller.wait_tone(660, 0.1)
        caller.signalling.bye()
        peer.ended()


@pytest.mark.parametrize("law", list(Law))
def test_only_the_tone_itself_is_the_tone(law: Law) -> None:
    from voice.media.g711 import decode

    frame = decode(encode(tones.beep()[3200:3520], law), law)
    assert tone_share(array("h", frame), tones.BEEP_HZ) > 0.98
    assert tone_share(array("h", frame), 660) < 0.1
    assert tone_share(array("h", bytes(320)), tones.BEEP_HZ) == 0.0


def test_a_short_chirp_is_no_tone() -> None:
    finder = ToneFinder(Law.PCMU, tones.BEEP_HZ)
    beep = encode(tones.beep(), Law.PCMU)
    frames = [beep[start : start + FRAME_SAMPLES] for start in range(160, 160 * 5, FRAME_SAMPLES)]
    assert not any(finder.frame(frame) for frame in [*frames, Law.PCMU.silence(160), *frames])


def _received(sock: socket.socket) -> list[RTPPacket]:
    sock.setblocking(False)
    found: list[RTPPacket] = []
    while True:
        try:
            found.append(parse(sock.recv(4096)))
        except BlockingIOError:
            return found
