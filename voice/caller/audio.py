"""The audio of one outgoing call: a packet each 20 ms at absolute times, and what is heard kept in order."""

from __future__ import annotations

import secrets
import socket
import time
from collections import deque
from contextlib import suppress

from voice.media import FRAME_SAMPLES, FRAME_SECONDS
from voice.media.dtmf import KEYS
from voice.media.g711 import Law
from voice.media.jitter import JitterBuffer
from voice.media.rtp import RTPError, RTPPacket, build, parse
from voice.sip.message import Address
from voice.sip.sdp import Agreed

MAX_DATAGRAM = 4096
RESYNC_SECONDS = 0.2
KEY_TICKS = 5
END_REPEATS = 3
KEY_VOLUME = 10


class Audio:
    """An RTP socket on `host`. frames: payloads heard, in order; sent: audio sent since start(), silence too.

    agreed, to: what offer and answer came to, and where audio goes; ssrc, sequence, timestamp: of the next packet.
    heard_lost: packets that never came. Whoever uses it calls receive(), and tick() from next_at on.
    """

    def __init__(self, host: str) -> None:
        """Take an even port, as RFC 3550 section 11 asks; OSError."""
        self.socket = _bind_even(host)
        self.port: int = self.socket.getsockname()[1]
        self.frames: list[bytes] = []
        self.sent = bytearray()
        self.next_at = float("inf")
        self._jitter: JitterBuffer[bytes] = JitterBuffer()
        self.agreed: Agreed | None = None
        self.to: Address = ("", 0)
        self.ssrc = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        self.timestamp = secrets.randbits(32)
        self._marker = True
        self._speech: deque[bytes] = deque()
        self._keys: deque[list[RTPPacket]] = deque()

    @property
    def law(self) -> Law:
        """The law in use."""
        return self.agreed.law if self.agreed else Law.PCMU

    @property
    def takes_keys(self) -> bool:
        """Whether the other side takes telephone events."""
        return self.agreed is not None and self.agreed.event_payload_type is not None

    @property
    def idle(self) -> bool:
        """Nothing but silence is being sent."""
        return not self._speech and not self._keys

    @property
    def heard_lost(self) -> int:
        return self._jitter.lost

    def start(self, agreed: Agreed) -> None:
        """Send silence from now on, and take what comes."""
        self.agreed, self.to = agreed, (agreed.host, agreed.port)
        self.next_at = time.monotonic()

    def stop(self) -> None:
        """Send no more."""
        self.next_at = float("inf")

    def speak(self, payload: bytes) -> None:
        """Say this after what is being said; its last frame is filled up with silence."""
        for start in range(0, len(payload), FRAME_SAMPLES):
            frame = payload[start : start + FRAME_SAMPLES]
            self._speech.append(frame + self.law.silence(FRAME_SAMPLES - len(frame)))

    def press(self, key: str) -> None:
        """Press a key for 100 ms (RFC 4733 section 2.5.1); ValueError for no key."""
        event = KEYS.index(key)
        payload_type = self.agreed.event_payload_type if self.agreed else None
        ticks: list[list[RTPPacket]] = []
        for tick in range(1, KEY_TICKS + 1):
            end = tick == KEY_TICKS
            payload = bytes((event, (0x80 if end else 0) | KEY_VOLUME)) + (tick * FRAME_SAMPLES).to_bytes(2, "big")
            packet = RTPPacket(payload_type or 0, 0, 0, self.ssrc, payload, marker=tick == 1)
            ticks.append([packet] * (END_REPEATS if end else 1))
        self._keys.extend(ticks)

    def tick(self) -> None:
        """Send what is due; after a long pause of whoever calls this the missed time is given up."""
        now = time.monotonic()
        if now - self.next_at > RESYNC_SECONDS:
            self.next_at = now
        while self.next_at <= now:
            self.next_at += FRAME_SECONDS
            self._send_tick()

    def receive(self) -> None:
        """Take what waits on the socket; what came before the answer waits there until start()."""
        while self.agreed:
            try:
                data = self.socket.recv(MAX_DATAGRAM)
            except OSError:
                return
            with suppress(RTPError):
                packet = parse(data)
                if packet.payload_type == self.agreed.payload_type:
                    self.frames.extend(self._jitter.put(packet.sequence, packet.payload))

    def close(self) -> None:
        self.socket.close()

    def _send_tick(self) -> None:
        if self._keys:
            packets = self._keys.popleft()
            # All packets of a key carry the time at which it began (RFC 4733 section 2.5.1.2).
            elapsed = int.from_bytes(packets[0].payload[2:4], "big") - FRAME_SAMPLES
            for packet in packets:
                self._send(packet.payload_type, packet.payload, self.timestamp - elapsed, packet.marker)
            self.timestamp += FRAME_SAMPLES
            return
        frame = self._speech.popleft() if self._speech else self.law.silence(FRAME_SAMPLES)
        self._send(self.agreed.payload_type if self.agreed else 0, frame, self.timestamp, self._marker)
        self._marker = False
        self.timestamp += FRAME_SAMPLES
        self.sent += frame

    def _send(self, payload_type: int, payload: bytes, timestamp: int, marker: bool) -> None:
        packet = RTPPacket(payload_type, self.sequence, timestamp, self.ssrc, payload, marker)
        self.sequence += 1
        # Nobody listens yet or any more: the signalling finds out.
        with suppress(OSError):
            self.socket.sendto(build(packet), self.to)


def _bind_even(host: str) -> socket.socket:
    while True:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((host, 0))
        except OSError:
            sock.close()
            raise
        if sock.getsockname()[1] % 2 == 0:
            sock.setblocking(False)
            return sock
        sock.close()
