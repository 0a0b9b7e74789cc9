"""The ears of a recording: has the caller stopped to speak, has the line gone, and where does the message end?"""

from __future__ import annotations

import audioop
from dataclasses import dataclass

from voice.events import SilenceReached, ToneReached
from voice.media import FRAME_SAMPLES, FRAME_SECONDS
from voice.media.call_tones import ToneDetector
from voice.media.g711 import Law
from voice.media.silence import FRAME_BYTES, SilenceDetector

HEARD_TOGETHER = 50
"""Frames at a time: an array operation has its price, and the detectors stay in the processor's cache meanwhile."""
PATIENCE_FRAMES = 12
"""Who is patient can be told of frames so much later than they are due."""
CLEAR = 10 ** (10 / 20)
"""Speech by noise, RMS, from which on the last word is known for sure."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard: seconds of speech before any tone of the network, and where things are, in samples.

    speech_end: after the last word, None where that is not sure (no speech, or too much noise).
    tone_start: where a tone of the network began, None where there was none.
    """

    speech: float
    speech_end: int | None
    tone_start: int | None


class Listener:
    """Hears whole frames of 20 ms as they come, several at a time, and tells the end once. Pure."""

    __slots__ = ("_decode", "_frames", "_silence", "_told", "_tones")

    def __init__(self, law: Law, silence_timeout: float | None) -> None:
        """silence_timeout: seconds; None: silence is no end."""
        self._decode = audioop.ulaw2lin if law is Law.PCMU else audioop.alaw2lin
        self._silence = SilenceDetector(silence_timeout)
        self._tones = ToneDetector()
        self._told = False
        self._frames = 0

    @property
    def frames_left(self) -> int:
        """How many frames may come before anything can be told; at least 1."""
        return min(HEARD_TOGETHER, self._silence.frames_left, self._tones.frames_left)

    @property
    def is_patient(self) -> bool:
        """Whether nobody stops to speak soon: not in what is heard next, nor in PATIENCE_FRAMES after that.

        A tone has its first burst first; where that is all of it (special information tones) it is told so much later.
        """
        return not self._tones.suspects and self._silence.frames_left > HEARD_TOGETHER + PATIENCE_FRAMES

    def begin_anew(self) -> None:
        """What has been quiet so far is no part of a pause that comes."""
        self._silence.begin_anew()

    def hear(self, payload: bytes) -> SilenceReached | ToneReached | None:
        """Take whole frames of 160 bytes; the first reason to end that they bring, once."""
        return self.hear_pcm(self._decode(payload, 2))

    def hear_pcm(self, pcm16: bytes) -> SilenceReached | ToneReached | None:
        """hear() for 16-bit samples."""
        self._frames += len(pcm16) // FRAME_BYTES
        silent = self._silence.frames(pcm16)
        gone = self._tones.frames(pcm16, self._silence.levels)
        if self._told or not (silent or gone):
            return None
        self._told = True
        return ToneReached(self._tones.tone.kind) if self._tones.tone is not None else SilenceReached()

    def heard(self) -> Heard:
        """What was heard so far."""
        tone = self._tones.tone
        # The first frame of a tone may be a part of one, which has not its level yet.
        start = self._frames if tone is None else max(0, tone.start - 1)
        frames, last = self._silence.speech_before(start)
        sure = frames > 0 and self._silence.snr >= CLEAR
        return Heard(
            speech=frames * FRAME_SECONDS,
            speech_end=last * FRAME_SAMPLES if sure else None,
            tone_start=None if tone is None else start * FRAME_SAMPLES,
        )
