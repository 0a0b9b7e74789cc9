"""Lines that bring packets, and ears at their end: without a socket, to the exact sample."""

from __future__ import annotations

import random
from collections.abc import Iterator

from voice.media import rtp
from voice.media.alike import Arrival
from voice.media.g711 import Law
from voice.media.receiver import Receiver
from voice.media.rtp import RTPPacket

SSRC, EVENT = 0xABCD, 101


def frame_of(number: int) -> bytes:
    """A frame that cannot be taken for another or for silence."""
    return bytes(1 + (number * 7 + place) % 120 for place in range(160))


def audio(number: int, *, ssrc: int = SSRC, payload_type: int = 0, jump: int = 0, sequence: int = 0) -> bytes:
    return rtp.build(RTPPacket(payload_type, sequence + number, jump + number * 160, ssrc, frame_of(number)))


def event(
    key: int, sequence: int, timestamp: int, *, ssrc: int = SSRC, end: bool = False, marker: bool = False
) -> bytes:
    payload = bytes((key, 0x80 * end | 10, 0, 160))
    return rtp.build(RTPPacket(EVENT, sequence, timestamp, ssrc, payload, marker))


class Ear:
    """A receiver with its clock, what it recorded and the keys it told. due: samples that it can wait for."""

    def __init__(self, law: Law = Law.PCMU, due: int = 1) -> None:
        self.due = due
        self.keys = ""
        self.heard = b""
        self.frames = 0
        self.gaps: list[tuple[int, int]] = []
        self.now = 100.0
        self.arrival = Arrival()
        self.receiver = Receiver(law, law.payload_type, EVENT, self.key, self.arrival)
        self.receiver.record(self, self.now)

    @property
    def is_patient(self) -> bool:
        return self.due > 800

    def key(self, key: str) -> None:
        self.keys += key

    def frame(self, payload: bytes) -> None:
        self.heard += payload
        self.frames += 1

    def lost(self, samples: int) -> None:
        self.gaps.append((len(self.heard), samples))

    def interrupted(self) -> None:
        """A hold leaves no trace."""

    def hear(self, *datagrams: bytes) -> list[bool]:
        """One datagram each 20 ms."""
        answers = []
        for data in datagrams:
            self.now += 0.02
            answers.append(self.receiver.datagram(data, self.now))
        return answers

    def take(self, *datagrams: bytes) -> None:
        """As hear(), from the source that the call is tied to."""
        for data in datagrams:
            self.now += 0.02
            self.arrival.data[: len(data)] = data
            self.receiver.take(len(data), self.now)

    def end(self) -> bytes:
        self.receiver.record(None, self.now)
        return self.heard


def spoken(*numbers: int) -> bytes:
    return b"".join(frame_of(number) for number in numbers)


def any_line(dice: random.Random, sources: bool = True) -> Iterator[bytes]:
    """Audio that is lost, late, doubled, joined by keys and strange payload types. sources: by other SSRCs as well."""
    ssrc, late = SSRC, list[bytes]()
    for number in range(200):
        chance = dice.random()
        data = audio(number, ssrc=ssrc, sequence=65_500, jump=0xFFFF_F000)
        if chance < 0.03:
            late.append(data)
        elif chance < 0.05:
            continue
        elif chance < 0.07:
            yield from (data, data)
        elif chance < 0.09:
            yield from (event(3, 65_500 + number, 0xFFFF_F000 + number * 160, end=True), data)
        elif chance < 0.10:
            yield data[:1] + bytes((data[1] | 0x7F,)) + data[2:]
        elif chance < 0.11:
            yield bytes((data[0] | 0x10,)) + data[1:]
        elif chance < 0.115:
            ssrc += sources
        else:
            yield data
        if late and dice.random() < 0.3:
            yield late.pop(0)
