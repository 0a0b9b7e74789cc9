"""Packets of another length than 20 ms, for peers that ask for it (a=ptime, RFC 4566 section 6)."""

from __future__ import annotations

from voice.media import FRAME_SAMPLES
from voice.media.rtp import HEADER, HEADER_SIZE, MARKER
from voice.media.sender import Sender

SHORTEST_MS, LONGEST_MS = 10, 60


class Repacketiser:
    """Cuts what a sender would send into packets of `samples` samples, 80 to 480 in steps of 80.

    The loop ticks each 20 ms all the same: 40 and 60 ms leave at every second and third tick, 10 ms leave in twos,
    30 ms after two ticks and after one in turn, as evenly as ticks allow.
    """

    def __init__(self, sender: Sender, samples: int) -> None:
        self.samples = samples
        self._sender = sender
        self._waiting = b""
        self._marker = 0

    def tick(self) -> list[bytes]:
        """The packets of this tick: none, one or two. Numbers are the sender's, so that 20 ms may follow."""
        sender = self._sender
        sequence = sender.sequence
        frame = sender.packet()
        sender.sequence = sequence
        self._marker |= frame[1] & MARKER
        self._waiting += frame[HEADER_SIZE:]
        packets = []
        while len(self._waiting) >= self.samples:
            payload, timestamp = self._waiting[: self.samples], sender.timestamp - len(self._waiting)
            second = sender.payload_type | self._marker
            packets.append(
                HEADER.pack(frame[0], second, sender.sequence, timestamp & 0xFFFFFFFF, sender.ssrc) + payload
            )
            self._waiting, self._marker = self._waiting[self.samples :], 0
            sender.sequence = (sender.sequence + 1) & 0xFFFF
        return packets

    def pause(self) -> None:
        """A tick in which nothing is sent."""
        self._waiting = b""
        self._sender.pause()


def samples_of(ptime: int) -> int:
    """Samples of a packet of that many ms; FRAME_SAMPLES where it is none that we send."""
    fits = SHORTEST_MS <= ptime <= LONGEST_MS and ptime % SHORTEST_MS == 0
    return ptime * 8 if fits else FRAME_SAMPLES
