"""Has the caller's line gone? Busy, congestion, dial and special information tones, told from speech and music."""

from __future__ import annotations

import audioop

from voice.media.cadence import Burst, Tone, known, same, tone_in
from voice.media.silence import FRAME_BYTES
from voice.media.spectrum import line_of

LOWEST = 32768 * 10 ** (-43 / 20)
"""RMS below which nothing is looked at: tones come down to -35 dBFS, and lines lose some more."""
SOFTER, LOUDER = 0.84, 1.19
"""A tone keeps its level: from frame to frame two tones at once vary by 5 %, and noise adds to it."""
ROUGHER = 1.15
"""By so much the bounds may be left upwards at the begin of a tone."""
NOTHING = (1.0, 0.0)
"""Bounds of a level that no frame has."""
HOLE_FRAMES = 3
"""A lost packet or two are no end of a tone."""
LOOK_FRAMES = 6
"""Frames whose spectrum is looked at, together: 120 ms tell 350 from 440 Hz, and the shortest tones last 200 ms."""
LOOK_BYTES = LOOK_FRAMES * FRAME_BYTES
LARGEST_CREST = 2.9
"""Peak by RMS: 1.4 for one tone, 2 for two, in noise 20 dB below up to 2.8; noise and most speech have 3 and more."""
LOUD_SHARE = 0.4
STRANGE_FRAMES = 8
"""So many loud frames that are no tone may lie between two bursts; with more they belong to no cadence."""
FORGOTTEN_FRAMES = 60
REMEMBERED = 8
SELDOM, OFTEN = 50, 2
"""Frames until it is worth while to listen again, without and with a tone."""


class ToneDetector:
    """Tells when what is heard is a tone of the network, and since when. Pure: fed with frames of 20 ms.

    Most frames cost a comparison: speech has hardly ever six frames of one level. Where it has, the next test is a
    peak that is low enough for one or two sine waves, and only then the spectrum is looked at. A stretch of one
    line of those that networks use is a burst; what bursts make a tone is said in voice/media/cadence.py.
    """

    __slots__ = (
        "_at",
        "_bursts",
        "_fresh",
        "_held",
        "_high",
        "_last",
        "_low",
        "_open",
        "_start",
        "_steady",
        "_strange",
        "tone",
    )

    def __init__(self) -> None:
        self.tone: Tone | None = None
        self._at = 0
        # The stretch of one level: its bounds, its first frame that nobody has looked at, the last frame that had the
        # level, how many had it, and how many of these wait to be looked at.
        self._low, self._high = NOTHING
        self._start = self._last = self._steady = self._fresh = 0
        self._held = b""
        self._bursts: list[Burst] = []
        self._open: Burst | None = None
        self._strange = 0

    @property
    def suspects(self) -> bool:
        """Whether a tone may have begun."""
        return bool(self._bursts)

    @property
    def frames_left(self) -> int:
        """How many frames may come before it is worth while to listen again."""
        return OFTEN if self._bursts else SELDOM

    def frames(self, pcm16: bytes, levels: list[float]) -> bool:
        """Take whole frames of 160 samples, with the RMS of each above 200 Hz; True where a tone was reached."""
        # One loop with everything at hand: it runs 50 times a second for each call.
        low, high, at, last, start = self._low, self._high, self._at, self._last, self._start
        steady, fresh, bursts = self._steady, self._fresh, self._bursts
        first = at
        for level in levels:
            if low <= level <= high:
                last = at
                steady += 1
                fresh += 1
                if fresh == LOOK_FRAMES:
                    fresh = 0
                    end = (at + 1 - first) * FRAME_BYTES
                    pcm = pcm16[end - LOOK_BYTES : end] if end >= LOOK_BYTES else self._held + pcm16[:end]
                    self._look(pcm, start, at + 1, low / SOFTER)
                    start = at + 1
            elif level < low and steady >= HOLE_FRAMES and at - last <= HOLE_FRAMES:
                fresh = 0
            elif high < level <= high * ROUGHER and steady < LOOK_FRAMES:
                # The first frame of a tone is seldom whole.
                low, high = level * SOFTER, level * LOUDER
                last = at
                steady += 1
                fresh = 1
            else:
                if bursts:
                    self._end_of_level(start, last + 1, high / LOUDER)
                if level < LOWEST:
                    low, high = NOTHING
                    steady = fresh = 0
                else:
                    low, high = level * SOFTER, level * LOUDER
                    start = last = at
                    steady = fresh = 1
            at += 1
        if fresh:
            self._held = pcm16[-fresh * FRAME_BYTES :] if fresh <= len(levels) else self._held + pcm16
        self._low, self._high, self._at, self._last, self._start = low, high, at, last, start
        self._steady, self._fresh = steady, fresh
        if bursts and self._open is None and at - bursts[-1].end > FORGOTTEN_FRAMES:
            bursts.clear()
        return self.tone is not None

    def _look(self, pcm16: bytes, start: int, end: int, level: float) -> None:
        """Is there a line in the last frames of one level? They were not looked at from start to end."""
        line = line_of(pcm16) if audioop.max(pcm16, 2) <= LARGEST_CREST * level else None
        burst = self._open
        if burst is None and self._bursts and start - self._bursts[-1].end <= HOLE_FRAMES:
            # Noise, or a packet that was lost, may take a tone out of its bounds for a frame.
            burst = self._bursts[-1]
        if burst is not None and line is not None and same(burst.line, line):
            burst.end, burst.over = end, False
            self._open = burst
            self._judge()
            return
        burst = self._open
        if burst is not None:
            self._close(burst, start)
        if line is not None and known(line):
            self._open = Burst(start, end, line, level)
            self._bursts.append(self._open)
            del self._bursts[:-REMEMBERED]
            self._strange = 0
            self._judge()
        else:
            self._between(end - start, level)

    def _end_of_level(self, start: int, end: int, level: float) -> None:
        """Another level: a burst ends, or there was something between two of them."""
        if self._open is not None:
            self._close(self._open, end)
        else:
            self._between(end - start, level)

    def _close(self, burst: Burst, end: int) -> None:
        burst.end, burst.over = end, True
        self._open = None
        self._judge()

    def _between(self, frames: int, level: float) -> None:
        """Frames that are in no burst: what is loud there belongs to no cadence."""
        if self._bursts and level > LOUD_SHARE * self._bursts[-1].level:
            self._strange += frames
            if self._strange > STRANGE_FRAMES:
                self._bursts.clear()

    def _judge(self) -> None:
        if self.tone is None and self._bursts:
            self.tone = tone_in(self._bursts)
