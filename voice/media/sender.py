"""The way out: a packet of 20 ms at each tick, what is played or silence."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from voice.media import FRAME_SAMPLES
from voice.media.g711 import Law
from voice.media.rtp import HEADER, MARKER, VERSION_BITS

_pack = HEADER.pack


class Departure(Protocol):
    """Where a sender's packets are numbered meanwhile (voice.media.departures). Any thread may ask."""

    @property
    def playback(self) -> Playback | None:
        """What is sent of; None: silence."""

    @property
    def position(self) -> int:
        """The sample of it that is sent next."""

    @property
    def numbers(self) -> tuple[int, int, int]:
        """As the sender's."""


class Playback:
    """A payload on its way out, from this sample on. position: the sample that is sent next."""

    __slots__ = ("done", "payload", "position", "token")

    def __init__(self, payload: bytes, token: object, position: int = 0) -> None:
        self.payload, self.token = payload, token
        self.position = position
        self.done = False

    @property
    def packets(self) -> int:
        """How many are left of it, the last of which may be filled up with silence."""
        return -(-(len(self.payload) - self.position) // FRAME_SAMPLES)


class Sender:
    """Numbers the packets of one stream. SSRC, sequence and timestamp start at random (RFC 3550 section 5.1).

    While it has departed, others send its packets: sequence, timestamp, sent, and the position of what is played, are
    then what they were before. `numbers` and position_of() tell them at any time.

    samples: of a packet, where they are joined or cut (voice.media.repacket). playback: what is played now; set from
    any thread, read at each tick. on_done hears its token with the packet that holds the last of it.
    """

    __slots__ = (
        "_first",
        "_on_done",
        "departure",
        "payload_type",
        "playback",
        "samples",
        "sent",
        "sequence",
        "silence",
        "ssrc",
        "timestamp",
    )

    def __init__(self, law: Law, payload_type: int, on_done: Callable[[object], None]) -> None:
        self.payload_type = payload_type
        self.silence = law.silence(FRAME_SAMPLES)
        self._on_done = on_done
        self._first = True
        self.ssrc = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        self.timestamp = secrets.randbits(32)
        self.playback: Playback | None = None
        self.sent = 0
        self.samples = FRAME_SAMPLES
        self.departure: Departure | None = None

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Sequence and timestamp of the next packet, and how many were sent."""
        departure = self.departure
        if departure is not None:
            numbers = departure.numbers
            # What it is asked for while it is given up may be another sender's already.
            if self.departure is departure:
                return numbers
        return self.sequence, self.timestamp, self.sent

    def position_of(self, playback: Playback) -> int:
        """The sample of it that is sent next."""
        departure = self.departure
        if departure is not None and departure.playback is playback:
            position = departure.position
            if self.departure is departure:
                return position
        return playback.position

    def arrive(self) -> None:
        """Send for itself again, from where it was brought to."""
        departure = self.departure
        if departure is not None:
            self.sequence, self.timestamp, self.sent = departure.numbers
            if departure.playback is not None:
                departure.playback.position = departure.position
            self.departure = None

    @property
    def is_playing(self) -> bool:
        """Whether something other than silence is sent."""
        playback = self.playback
        return playback is not None and not playback.done

    def packet(self) -> bytes:
        """The next packet. The marker says that a talk spurt begins: at first, and after pause()."""
        playback = self.playback
        if playback is None or playback.done:
            payload = self.silence
        else:
            position = playback.position
            payload = playback.payload[position : position + FRAME_SAMPLES]
            position = playback.position = position + FRAME_SAMPLES
            if position >= len(playback.payload):
                payload += self.silence[len(payload) :]
                playback.done = True
                self._on_done(playback.token)
        second = self.payload_type
        if self._first:
            second |= MARKER
            self._first = False
        sequence, timestamp = self.sequence, self.timestamp
        self.sequence = (sequence + 1) & 0xFFFF
        self.timestamp = (timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        return _pack(VERSION_BITS, second, sequence, timestamp, self.ssrc) + payload

    def pause(self, samples: int = FRAME_SAMPLES) -> None:
        """A tick in which nothing is sent: time goes on, numbers and what is played do not."""
        self.timestamp = (self.timestamp + samples) & 0xFFFFFFFF
        self._first = True
