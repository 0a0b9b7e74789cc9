"""The way out: a packet of 20 ms at each tick, what is played or silence."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from voice.media import FRAME_SAMPLES
from voice.media.g711 import Law
from voice.media.rtp import HEADER, MARKER, VERSION_BITS

_pack = HEADER.pack


class Playback:
    """A payload on its way out, from this sample on. position: the sample that is sent next."""

    __slots__ = ("done", "payload", "position", "token")

    def __init__(self, payload: bytes, token: object, position: int = 0) -> None:
        self.payload, self.token = payload, token
        self.position = position
        self.done = False


class Sender:
    """Numbers the packets of one stream. SSRC, sequence and timestamp start at random (RFC 3550 section 5.1).

    samples: of a packet, where they are joined or cut (voice.media.repacket). playback: what is played now; set from
    any thread, read at each tick. on_done hears its token with the packet that holds the last of it.
    """

    __slots__ = (
        "_first",
        "_on_done",
        "_silence",
        "payload_type",
        "playback",
        "samples",
        "sent",
        "sequence",
        "ssrc",
        "timestamp",
    )

    def __init__(self, law: Law, payload_type: int, on_done: Callable[[object], None]) -> None:
        self.payload_type = payload_type
        self._silence = law.silence(FRAME_SAMPLES)
        self._on_done = on_done
        self._first = True
        self.ssrc = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        self.timestamp = secrets.randbits(32)
        self.playback: Playback | None = None
        self.sent = 0
        self.samples = FRAME_SAMPLES

    @property
    def is_playing(self) -> bool:
        """Whether something other than silence is sent."""
        playback = self.playback
        return playback is not None and not playback.done

    def packet(self) -> bytes:
        """The next packet. The marker says that a talk spurt begins: at first, and after pause()."""
        playback = self.playback
        if playback is None or playback.done:
            payload = self._silence
        else:
            position = playback.position
            payload = playback.payload[position : position + FRAME_SAMPLES]
            position = playback.position = position + FRAME_SAMPLES
            if position >= len(playback.payload):
                payload += self._silence[len(payload) :]
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
