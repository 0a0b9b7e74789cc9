"""What bursts of pure lines make a tone of the network. Frequencies and cadences: ITU-T E.180 and its supplement 2.

| country | dial, steady | busy, s on and off | congestion, s on and off |
| --- | --- | --- | --- |
| US, Canada | 350 + 440 Hz | 480 + 620 Hz, 0.5 | 480 + 620 Hz, 0.25 |
| United Kingdom | 350 + 450 Hz | 400 Hz, 0.375 | 400 Hz, 0.4 0.35 0.225 0.525; steady: no such number |
| China | 450 Hz | 450 Hz, 0.35 | 450 Hz, 0.7 |
| Japan | 400 Hz | 400 Hz, 0.5 | |
| Mexico | 425 Hz | 425 Hz, 0.25 | 425 Hz, 0.25 |
| Spain | 425 Hz | 425 Hz, 0.2 | 425 Hz, 0.2 0.2 0.2 0.2 0.2 0.6 |
| France | 440 Hz (330 + 440 Hz) | 440 Hz, 0.5 | 440 Hz, 0.25 |
| Germany, most of Europe | 425 Hz | 425 Hz, 0.48 | 425 Hz, 0.24 |

Special information tone: 950, 1400 and 1800 Hz, 0.33 s each (in North America from 914 to 1777 Hz, 0.276 or 0.38 s).
Ringing is none of these: it sounds for up to 2 s, and a line that rings is not gone. Any steady on and off of equal
length is taken for busy or congestion, so that neighbours of the countries above are understood as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from voice.media.spectrum import Line

BUSY, DIAL, SIT = "busy", "dial", "sit"
PAIRS = ((350, 440), (350, 450), (330, 440), (480, 620))
BUSY_PAIR = 480
SINGLE = (390.0, 490.0)
STEADY_SINGLE = (393.0, 460.0)
PAIR_TOLERANCE = 0.015
SIT_BANDS = ((900, 1000), (1350, 1450), (1750, 1850))

SAME_HERTZ = 0.0025
"""No voice holds its pitch like that."""
SAME_LEVEL = 1.25
SLACK = 3
"""Frames by which a period, a burst or a gap may differ from what it should be."""
EDGES = 6
"""Frames by which on and off may differ where they are equal: the first frames of a burst may be in its gap."""
SHORTEST, LONGEST = 8, 40
ENOUGH = 33
"""Frames that a cadence must have sounded in all before it is believed."""
RUNNING = 15
"""Frames of a burst that has not ended yet from which on it confirms the burst and the gap before it."""
STEADY_FRAMES = 110
"""2.2 s: longer than any country's ringing."""
SIT_FRAMES = (6, 26)
SIT_GAP = 12
SPECIAL = (
    ((20, 18), (11, 26)),
    ((10, 10), (10, 10), (10, 30)),
)
"""Cadences of unequal on and off, in frames: the congestion tones of the United Kingdom and of Spain."""


@dataclass(slots=True)
class Burst:
    """One pure line for a while: first frame, frame after the last, RMS of a frame, whether it is over."""

    start: int
    end: int
    line: Line
    level: float
    over: bool = False

    @property
    def frames(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone of the network. kind: busy (or congestion), dial (anything steady) or sit; start: its first frame."""

    kind: str
    start: int


def known(line: Line) -> bool:
    """Whether a tone of the network may have this line in it."""
    low, high = line
    if high:
        return any(_near(low, pair[0]) and _near(high, pair[1]) for pair in PAIRS)
    return SINGLE[0] <= low <= SINGLE[1] or any(band[0] <= low <= band[1] for band in SIT_BANDS)


def same(line: Line, other: Line) -> bool:
    """Whether two measurements are of one line."""
    return all(abs(a - b) <= SAME_HERTZ * max(a, b) for a, b in zip(line, other, strict=True))


def tone_in(bursts: Sequence[Burst]) -> Tone | None:
    """The tone that the last of these bursts completes."""
    last = bursts[-1]
    if last.line[1] == 0 and last.line[0] > SINGLE[1]:
        return _information(bursts[-3:])
    if last.frames >= STEADY_FRAMES and _may_be_steady(last.line):
        return Tone(DIAL, last.start)
    alike = [last]
    for burst in reversed(bursts[:-1]):
        if not same(burst.line, last.line) or not 1 / SAME_LEVEL <= burst.level / last.level <= SAME_LEVEL:
            break
        alike.insert(0, burst)
    for first in range(len(alike) - 1):
        if _is_cadence(alike[first:]):
            return Tone(BUSY, alike[0].start)
    return None


def _may_be_steady(line: Line) -> bool:
    low, high = line
    return not _near(low, BUSY_PAIR) if high else STEADY_SINGLE[0] <= low <= STEADY_SINGLE[1]


def _is_cadence(bursts: Sequence[Burst]) -> bool:
    if sum(burst.frames for burst in bursts) < ENOUGH:
        return False
    last = bursts[-1]
    steps = [(burst.frames, after.start - burst.end) for burst, after in pairwise(bursts)]
    return _is_even(steps, last) or any(_is_special(steps, last, plan) for plan in SPECIAL)


def _is_even(steps: Sequence[tuple[int, int]], last: Burst) -> bool:
    """On and off of one length. The first burst may have begun before it could be told from speech."""
    on, off = steps[-1]
    ended = last.over and abs(last.frames - off) <= EDGES
    if len(steps) == 1 and abs(on - off) > EDGES:
        # Only the second burst is whole, then.
        return ended and SHORTEST <= off <= LONGEST and on < off
    period = on + off
    if not 2 * SHORTEST <= period <= 2 * LONGEST or last.frames > period / 2 + EDGES:
        return False
    for number, (sounding, quiet) in enumerate(steps):
        part = number == 0 and sounding < quiet
        if not part and (abs(sounding + quiet - period) > SLACK or abs(sounding - quiet) > EDGES):
            return False
        if part and quiet > period / 2 + EDGES:
            return False
    return ended or last.frames >= min(RUNNING, period / 2 - EDGES)


def _is_special(steps: Sequence[tuple[int, int]], last: Burst, plan: Sequence[tuple[int, int]]) -> bool:
    """On and off as in a plan, beginning anywhere in it; at least two whole steps and an unequal one among them."""

    def follows(at: int) -> bool:
        return all(
            abs(on - plan[(at + place) % len(plan)][0]) <= SLACK + 1
            and abs(off - plan[(at + place) % len(plan)][1]) <= SLACK + 1
            for place, (on, off) in enumerate(steps)
        )

    longest = max(on for on, _ in plan)
    return len(steps) >= 2 and last.frames <= longest + SLACK and any(follows(at) for at in range(len(plan)))


def _information(bursts: Sequence[Burst]) -> Tone | None:
    """Three rising tones with little between them."""
    if len(bursts) < 3:
        return None
    shortest, longest = SIT_FRAMES
    for burst, (low, high) in zip(bursts, SIT_BANDS, strict=True):
        if burst.line[1] or not low <= burst.line[0] <= high or not shortest <= burst.frames <= longest:
            return None
    if any(after.start - burst.end > SIT_GAP for burst, after in pairwise(bursts)):
        return None
    return Tone(SIT, bursts[0].start)


def _near(hertz: float, wanted: float) -> bool:
    return abs(hertz - wanted) <= PAIR_TOLERANCE * wanted
