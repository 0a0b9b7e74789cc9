"""Packets of another length than 20 ms, for peers that ask for it (a=ptime, RFC 4566 section 6)."""

from __future__ import annotations

from voice.media import FRAME_SAMPLES
from voice.media.rtp import HEADER, HEADER_SIZE, MARKER, VERSION_BITS
from voice.media.sender import Sender

SHORTEST_MS, LONGEST_MS = 10, 60


class Repacketiser:
    """Cuts what a sender would send into packets of `samples` samples, 80 to 480 in steps of 80.

    tick() is called each `step` samples of time: the usual 20 ms where packets are a multiple of that, else 10 ms.
    So each packet leaves at its own time.
    """

    def __init__(self, sender: Sender, samples: int) -> None:
        self._sender = sender
        self._waiting = b""
        self._due = 0
        self.resize(samples)

    def resize(self, samples: int) -> None:
        """Packets of this length from the next one on; nothing of what was cut off is lost."""
        self.samples, self.step = samples, step_of(samples)

    def tick(self) -> bytes | None:
        """The packet that is due now, or none. Numbers are the sender's, so that they go on."""
        packet = self._packet() if self._due <= 0 else None
        self._due -= self.step
        return packet

    def pause(self) -> None:
        """A tick in which nothing is sent. Time goes on from the end of what was sent."""
        left = self._due + len(self._waiting)
        self._waiting, self._due = b"", max(0, left - self.step)
        self._sender.pause(max(0, self.step - left))

    def _packet(self) -> bytes:
        sender, samples = self._sender, self.samples
        sequence, first = sender.sequence, 0
        while len(self._waiting) < samples:
            frame = sender.packet()
            first |= frame[1] & MARKER
            self._waiting += frame[HEADER_SIZE:]
        sender.sequence = (sequence + 1) & 0xFFFF
        timestamp = (sender.timestamp - len(self._waiting)) & 0xFFFFFFFF
        payload, self._waiting = self._waiting[:samples], self._waiting[samples:]
        self._due += samples
        return HEADER.pack(VERSION_BITS, sender.payload_type | first, sequence, timestamp, sender.ssrc) + payload


def step_of(samples: int) -> int:
    """The time between two ticks, in samples, that packets of this length need."""
    return FRAME_SAMPLES if samples % FRAME_SAMPLES == 0 else FRAME_SAMPLES // 2


def samples_of(ptime: int) -> int:
    """Samples of a packet of that many ms; FRAME_SAMPLES where it is none that we send."""
    fits = SHORTEST_MS <= ptime <= LONGEST_MS and ptime % SHORTEST_MS == 0
    return ptime * 8 if fits else FRAME_SAMPLES
