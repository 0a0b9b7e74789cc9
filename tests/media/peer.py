"""The other side of a stream: a real socket that speaks RTP and notes what it hears."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pyVoIP.RTP import PayloadType, TransmitType

from tests.support import until
from voice.events import Event
from voice.media import rtp
from voice.media.g711 import Law
from voice.media.loop import MediaLoop
from voice.media.rtp import RTPPacket
from voice.media.stream import MediaStream

HOST = "127.0.0.1"
EVENT_TYPE = 101
PAYLOAD_TYPES = {Law.PCMU: PayloadType.PCMU, Law.PCMA: PayloadType.PCMA}


def free_port(host: str = HOST) -> int:
    """A UDP port that nobody has at the moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Peer:
    """A phone: say() sends a frame each 20 ms, heard has (time, packet) of all that came."""

    def __init__(self, law: Law = Law.PCMU, host: str = HOST, ssrc: int = 0x5EED) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.law, self.host, self.ssrc = law, host, ssrc
        self.payload_type, self.event_type = law.payload_type, EVENT_TYPE
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(0.1)
        self.port = int(self.socket.getsockname()[1])
        self.number = 0
        self.heard: list[tuple[float, RTPPacket]] = []
        self._over = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def packet(self, payload: bytes, number: int) -> bytes:
        return rtp.build(RTPPacket(self.payload_type, number, number * 160, self.ssrc, payload))

    def say(self, stream: MediaStream, frames: Iterable[bytes], pace: float = 0.02) -> None:
        """Send these frames at their times, after all that was asked of the stream before is done."""
        stream._loop.call(lambda: None)
        deadline = time.monotonic()
        for payload in frames:
            self.send(stream, self.packet(payload, self.number))
            self.number += 1
            deadline += pace
            time.sleep(max(0.0, deadline - time.monotonic()))

    def send(self, stream: MediaStream, data: bytes) -> None:
        self.socket.sendto(data, (stream.inIP, stream.inPort))

    def press(self, stream: MediaStream, key: int) -> None:
        """A key, as RFC 4733 sends it: three updates, three ends; it takes the place of as many frames."""
        start = self.number * 160
        for step in range(6):
            payload = bytes((key, 0x8A if step > 2 else 10)) + ((step + 1) * 160).to_bytes(2, "big")
            self.send(stream, rtp.build(RTPPacket(self.event_type, self.number, start, self.ssrc, payload, not step)))
            self.number += 1

    def audio(self) -> bytes:
        """All payload that was heard."""
        return b"".join(packet.payload for _, packet in tuple(self.heard))

    def close(self) -> None:
        self._over = True
        self._thread.join()
        self.socket.close()

    def _listen(self) -> None:
        while not self._over:
            with contextlib.suppress(TimeoutError, ConnectionError):
                data = self.socket.recv(2048)
                self.heard.append((time.monotonic(), rtp.parse(data)))


class Ear:
    """A sink that keeps what it is given."""

    due = 1
    is_patient = False

    def __init__(self) -> None:
        self.heard = b""

    def frame(self, payload: bytes) -> None:
        self.heard += payload

    def lost(self, samples: int) -> None:
        """What stands for lost packets stays silence."""

    def interrupted(self) -> None:
        """A hold leaves no trace."""


class Side:
    """Our side of a call: a stream on a loop, its events, and whether its port was given back."""

    def __init__(
        self,
        loop: MediaLoop,
        peer: Peer,
        *,
        law: Law | None = None,
        media_timeout: float = 0,
        events: bool = True,
        control: tuple[str, int] | None = None,
        mux: bool = False,
        signalling: str = "",
    ) -> None:
        """events: whether telephone events were agreed on; control: where the peer wants RTCP."""
        self.events: list[Event] = []
        self.closed = 0
        law = law or peer.law
        self.stream = MediaStream(
            {law.payload_type: PAYLOAD_TYPES[law]} | ({EVENT_TYPE: PayloadType.EVENT} if events else {}),
            peer.host,
            free_port(peer.host),
            peer.host,
            peer.port,
            TransmitType.SENDRECV,
            loop=loop,
            on_event=self.events.append,
            on_closed=self._closed,
            call_id="test",
            media_timeout=media_timeout,
            control=control,
            mux=mux,
            signalling=signalling,
        )

    def wait_received(self, count: int) -> None:
        until(lambda: self.stream.statistics.received >= count, what=f"{count} packets, {self.stream.statistics}")

    def wait_event(self, event: Event) -> None:
        until(lambda: event in self.events, what=f"{event}, there are {self.events}")

    def wait_closed(self) -> None:
        until(lambda: self.closed, what="the port to be given back")

    def _closed(self) -> None:
        self.closed += 1


@contextmanager
def call(loop: MediaLoop, law: Law = Law.PCMU, host: str = HOST) -> Iterator[tuple[Side, Peer]]:
    """A call that runs while the block does."""
    peer = Peer(law, host)
    side = Side(loop, peer)
    side.stream.start()
    yield side, peer
    side.stream.stop()
    side.wait_closed()
    peer.close()


def numbered(count: int, start: int = 0) -> list[bytes]:
    """Frames that cannot be taken for one another."""
    return [bytes(1 + (number * 7 + place) % 120 for place in range(160)) for number in range(start, start + count)]
