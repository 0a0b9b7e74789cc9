"""Ears of a menu: who speaks where keys are wanted is heard, and told at the end of the sentence."""

from __future__ import annotations

import audioop
from collections.abc import Callable

from voice.media import FRAME_SAMPLES, FRAME_SECONDS
from voice.media.call_tones import ToneDetector
from voice.media.g711 import Law
from voice.media.sender import Sender
from voice.media.silence import SilenceDetector

PAUSE_SECONDS = 0.6
"""A sentence is over when it has been quiet for so long; the breath within one is shorter."""
SHORTEST_SECONDS = 0.3
"""Less is a cough, a key, or a click."""
ECHO_SECONDS = 0.3
"""Our own voice comes back from the network for so long after it was sent."""
TOGETHER = 10
"""Frames that are heard at a time: cheap, and late by 0.2 s at most."""


class SentenceEars:
    """A sink (voice.media.receiver) that calls on_sentence once for each sentence, in the loop's thread.

    Where the sender plays, and 0.3 s longer, nothing counts: it may be the echo of what we say. A tone of the network
    is no sentence. The noise floor is learnt all the while.
    """

    __slots__ = ("_counted", "_deaf", "_decode", "_heard", "_on_sentence", "_sender", "_silence", "_tones", "_waiting")

    def __init__(self, law: Law, on_sentence: Callable[[], None], sender: Sender) -> None:
        self._decode = audioop.ulaw2lin if law is Law.PCMU else audioop.alaw2lin
        self._on_sentence, self._sender = on_sentence, sender
        self._silence = SilenceDetector(PAUSE_SECONDS)
        self._tones = ToneDetector()
        self._waiting = b""
        # Seconds of speech: those heard, those of them that no longer count; and for how long nothing will count.
        self._heard = self._counted = self._deaf = 0.0

    @property
    def due(self) -> int:
        """How many samples may come before they are listened to."""
        return max(1, TOGETHER * FRAME_SAMPLES - len(self._waiting))

    @property
    def is_patient(self) -> bool:
        """Never: who has spoken waits for an answer."""
        return False

    def frame(self, payload: bytes) -> None:
        """Take a payload of any length."""
        waiting = self._waiting = self._waiting + payload
        if len(waiting) >= TOGETHER * FRAME_SAMPLES:
            whole = len(waiting) - len(waiting) % FRAME_SAMPLES
            self._waiting = waiting[whole:]
            self._hear(self._decode(waiting[:whole], 2), whole // FRAME_SAMPLES)

    def lost(self, samples: int) -> None:
        """Silence that stands for lost packets is silence."""

    def interrupted(self) -> None:
        """Whoever was put on hold in mid-sentence says it again."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """What was said so far is no sentence."""
        self._waiting = b""
        self._counted = self._heard

    def _hear(self, pcm16: bytes, frames: int) -> None:
        quiet = self._silence.frames(pcm16)
        gone = self._tones.frames(pcm16, self._silence.levels) or self._tones.tone is not None
        self._heard = self._silence.speech_seconds
        self._deaf = ECHO_SECONDS if self._sender.is_playing else max(0.0, self._deaf - frames * FRAME_SECONDS)
        if gone or self._deaf:
            self._counted = self._heard
        elif quiet and self._heard > self._counted:
            is_sentence = self._heard - self._counted >= SHORTEST_SECONDS
            self._counted = self._heard
            if is_sentence:
                self._on_sentence()
