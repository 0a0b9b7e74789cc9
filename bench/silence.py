"""When does a recording end? Pauses that must not end it, silence and tones that must, speech that is no tone.

The test set is made here, from fixed seeds; nothing of it is kept as audio. What is said is heard by the ears of
the recorder (voice/media/listener.py) frame by frame as they come, with the same number of frames at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from bench import signals, synthesised
from bench.signals import LANGUAGES, SENTENCES, Samples
from bench.table import show
from bench.verdict import Line
from voice.events import SilenceReached, ToneReached
from voice.media import FRAME_SAMPLES, SAMPLE_RATE
from voice.media.g711 import Law
from voice.media.listener import Heard, Listener
from voice.prompts import BUILT_IN

SEED = 1
TIMEOUTS = (2.0, 3.0, 4.0)
SHORTEST_PAUSE, PAUSE_SHORTER_BY = 0.5, 0.1
END_WITHIN = 0.35
EARLY = -0.15
"""A recording that ends so much before the time-out after the last word has cut somebody off."""
LONGEST = 20.0
NEVER = 9999.0
TONE_MUST, TONE_GOOD = 4.0, 2.0
LOUD, NORMAL, QUIET = -20.0, -24.0, -36.0
LAWS = (Law.PCMU, Law.PCMA)

CONDITIONS = (
    ("none", -99.0, NORMAL), ("none", -99.0, QUIET), ("white", -60.0, NORMAL), ("white", -60.0, QUIET),
    ("white", -50.0, NORMAL), ("white", -50.0, QUIET), ("white", -40.0, NORMAL), ("pink", -50.0, QUIET),
    ("pink", -40.0, NORMAL), ("pink", -34.0, NORMAL), ("hum50", -40.0, NORMAL), ("hum50", -46.0, QUIET),
    ("hum60", -40.0, NORMAL), ("hum60", -34.0, NORMAL), ("hum50", -30.0, NORMAL - 10 + 6), ("white", -34.0, NORMAL),
    ("white", -30.0, LOUD), ("pink", -30.0, LOUD),
)  # fmt: skip
"""Noise, its level, that of speech: at least 10 dB between them in each."""
CALLERS_A_CONDITION = 30
CLOSE = (("hum50", -30.0), ("white", -40.0), ("pink", -35.0), ("babble", -38.0), ("music", -38.0))
"""Noise under prompts that must not be taken for a tone."""
BEHIND = tuple((kind, NORMAL - ratio, NORMAL) for kind, ratio in product(("babble", "music"), (10.0, 15.0, 20.0)))
"""Others who speak, and music, behind the caller."""


@dataclass(frozen=True)
class Ended:
    """Where a recording ended, in seconds, why (None: it did not), and what was heard until then."""

    at: float
    event: SilenceReached | ToneReached | None
    heard: Heard


@dataclass(frozen=True)
class Pauses:
    """Recordings under one kind of noise: how many were cut off, and how long after the time-out the others ended."""

    kind: str
    recordings: int
    cut_off: int
    late: int
    delays: tuple[float, ...]


@dataclass(frozen=True)
class Lines:
    """Lines that went into one tone: seconds from its first sample to the end of the recording."""

    name: str
    delays: tuple[float, ...]
    missed: int
    tone_left: float


def listen(samples: Samples, law: Law, timeout: float | None) -> Ended:
    """Let the recorder's ears hear it."""
    payload, listener, at = signals.as_sent(samples, law), Listener(law, timeout), 0
    while at < len(payload):
        block = payload[at : at + listener.frames_left * FRAME_SAMPLES]
        at += len(block)
        if event := listener.hear(block):
            return Ended(at / SAMPLE_RATE, event, listener.heard())
    return Ended(at / SAMPLE_RATE, None, listener.heard())


def pauses(
    kind: str, noise_level: float, speech_level: float, timeout: float, count: int, seed: int, voices: Sequence[Samples]
) -> list[float]:
    """Seconds from the last sound to the end, less the time-out, of callers who speak, pause and speak again.

    voices: the sentences that they say. Every second pause is just short of the time-out, the others are of any length
    from 0.5 s on.
    """
    rng = np.random.default_rng([SEED, seed])
    found = []
    for number in range(count):
        longest = timeout - PAUSE_SHORTER_BY
        pause = longest if number % 2 else float(rng.uniform(SHORTEST_PAUSE, longest))
        parts = [
            np.zeros(int(rng.uniform(0.1, 1.0) * SAMPLE_RATE)),
            voices[(number + seed) % len(voices)],
            np.zeros(int(pause * SAMPLE_RATE)),
            voices[int(rng.integers(len(voices)))],
        ]
        spoken = signals.scaled(np.concatenate(parts), speech_level)[-int(LONGEST * SAMPLE_RATE) :]
        samples = np.concatenate([spoken, np.zeros(int((timeout + 3) * SAMPLE_RATE))])
        start = int(rng.integers(0, SAMPLE_RATE))
        noise = signals.noise(kind)[start : start + len(samples)]
        ended = listen(samples + signals.scaled(noise, noise_level), LAWS[number % 2], timeout)
        found.append((ended.at if ended.event else NEVER) - len(spoken) / SAMPLE_RATE - timeout)
    return found


@cache
def prompts() -> tuple[Samples, ...]:
    """The sentences as callers hear them."""
    return tuple(signals.speech(*voice) for voice in product(SENTENCES, LANGUAGES))


def in_noise(
    kind: str,
    noise_level: float,
    speech_level: float,
    count: int = CALLERS_A_CONDITION,
    voices: Sequence[Samples] | None = None,
) -> Pauses:
    """All time-outs under one noise. voices: the sentences that are said, those of the prompts where not given."""
    delays: list[float] = []
    for timeout in TIMEOUTS:
        seed = int(-noise_level * 7 - speech_level * 3 + timeout * 11)
        delays += pauses(kind, noise_level, speech_level, timeout, count, seed, voices or prompts())
    cut_off = sum(delay < EARLY for delay in delays)
    late = sum(delay > END_WITHIN for delay in delays)
    name = kind if kind == "none" else f"{kind} {noise_level:.0f}"
    return Pauses(f"{name}, speech {speech_level:.0f}", len(delays), cut_off, late, tuple(delays))


def lines(name: str, levels: tuple[float, ...] = (-12.0, -24.0, -35.0)) -> Lines:
    """Callers whose line goes into a tone: at several levels, with line noise 20 dB below, from anywhere in a burst."""
    rng = np.random.default_rng([SEED, len(name), sum(map(ord, name))])
    delays, missed, left = [], 0, 0.0
    for level, kind, law in product(levels, ("none", "white", "pink", "hum50"), LAWS):
        said = signals.scaled(signals.speech(str(rng.choice(SENTENCES)), str(rng.choice(LANGUAGES))), level)
        cadence = signals.TONES[name][1] if name in signals.TONES else ()
        skip = float(rng.choice([0.0, rng.uniform(0, 0.9 * cadence[0])])) if cadence else 0.0
        gone = signals.scaled(signals.tone(name, 6.0, skip), level)
        samples = np.concatenate([said, np.zeros(int(rng.uniform(0, 0.6) * SAMPLE_RATE)), gone])
        samples = samples[-int(LONGEST * SAMPLE_RATE) :]
        start = len(samples) - len(gone)
        ended = listen(samples + signals.scaled(signals.noise(kind)[: len(samples)], level - 20), law, None)
        if not isinstance(ended.event, ToneReached) or ended.heard.tone_start is None:
            missed += 1
            continue
        delays.append(ended.at - start / SAMPLE_RATE)
        left = max(left, (ended.heard.tone_start - start) / SAMPLE_RATE)
    return Lines(name, tuple(delays), missed, left)


def no_tones(noises: Sequence[tuple[str, float]] = CLOSE) -> Iterator[tuple[str, Samples, Law]]:
    """What must never be taken for a tone of the network: all prompts, plain and in noise; vowels; music; ringing."""
    rng = np.random.default_rng([SEED, 99])
    for path in sorted(BUILT_IN.glob("*/*.wav")):
        plain = signals.prompt(path)
        name = f"{path.parent.name}/{path.stem}"
        for kind, level in (("none", -99.0), *noises):
            noise = signals.noise(kind)[np.arange(len(plain)) % (signals.NOISE_SECONDS * SAMPLE_RATE)]
            yield f"{name} in {kind}", plain + signals.scaled(noise, level), LAWS[int(rng.integers(2))]
    for hertz, formants in product(range(90, 500, 17), ((300, 870), (270, 2290), (500, 1000), (730, 1090), (430, 480))):
        held = signals.vowel(hertz, 4.0, formants, rng)
        yield f"a vowel held at {hertz} Hz", signals.scaled(held, -20), Law.PCMU
        beats = held * (np.arange(len(held)) // 2000 % 2 == 0)
        yield f"a vowel at {hertz} Hz, again and again", signals.scaled(beats, -20), Law.PCMU
    for number in range(40):
        tune = signals.melody(12.0, rng, chords=bool(number % 2), harmonics=2 + number % 7)
        yield f"tune {number}", signals.scaled(tune, -20), LAWS[number // 2 % 2]
    for name in signals.RINGING:
        yield name, signals.scaled(signals.tone(name, 9.0), -20), Law.PCMU
    for kind in signals.NOISES:
        yield kind, signals.scaled(signals.noise(kind), -30), Law.PCMU


def measure(folder: Path) -> list[Line]:
    """Print the tables; what they say of the promises."""
    del folder
    noisy = _pauses("Speech at least 10 dB above the noise", CONDITIONS)
    others = _other_voices()
    behind = _pauses("Others who speak, and music, behind the caller", BEHIND)
    busy, longest, missed = _lines()
    return [
        Line(f"callers cut off in a pause, of {noisy.recordings}, 10 dB", noisy.cut_off, 0),
        Line("end of speech to end of recording after T, 10 dB", max(noisy.delays), END_WITHIN, unit="s"),
        *others,
        Line(f"cut off with babble and music behind, of {behind.recordings}", behind.cut_off, 0),
        Line("ended later, or never, with babble and music behind", behind.late, None, 0),
        Line("lines in a tone that were not known, of all", missed, 0),
        Line("busy tone to end of recording", busy, TONE_MUST, TONE_GOOD, "s"),
        Line("any tone of the network to end of recording", longest, TONE_MUST, unit="s"),
        Line("speech, song or tunes taken for a tone", _no_tones(), 0),
    ]


def _other_voices() -> list[Line]:
    if not synthesised.is_installed():
        print(f"\nOther voices were not tried: {synthesised.PROGRAM} is not installed.")
        return []
    found = _pauses("The same in other voices (eSpeak NG)", CONDITIONS, synthesised.voices())
    return [
        Line(f"the same in other voices, of {found.recordings}", found.cut_off, 0),
        Line("the end in other voices after T, 10 dB", max(found.delays), END_WITHIN, unit="s"),
    ]


def _pauses(
    title: str, conditions: tuple[tuple[str, float, float], ...], voices: Sequence[Samples] | None = None
) -> Pauses:
    found = [in_noise(*condition, voices=voices) for condition in conditions]
    every = tuple(delay for row in found for delay in row.delays if delay >= EARLY)
    recordings, cut_off, late = (
        sum(numbers) for numbers in zip(*((row.recordings, row.cut_off, row.late) for row in found), strict=True)
    )
    whole = Pauses("all", recordings, cut_off, late, every)
    show(
        f"{title}: pauses up to {PAUSE_SHORTER_BY} s below the time-out T; the end after T, in s",
        ["dBFS", "recordings", "cut off", "median", "longest", f"over {END_WITHIN}"],
        [[row.kind, str(row.recordings), str(row.cut_off), *_of(row.delays), str(row.late)] for row in (*found, whole)],
    )
    return whole


def _lines() -> tuple[float, float, int]:
    """The longest waits in a busy tone and in any, in seconds, and how many tones were missed."""
    found = [lines(name) for name in [*signals.TONES, *signals.INFORMATION]]
    show(
        "A line that goes into a tone: from its first sample to the end of the recording",
        ["", "lines", "missed", "median s", "longest s", "tone left s"],
        [
            [row.name, str(len(row.delays) + row.missed), str(row.missed), *_of(row.delays), f"{row.tone_left:.2f}"]
            for row in found
        ],
    )
    busy = max(max(row.delays) for row in found if row.name.endswith("busy"))
    return busy, max(max(row.delays) for row in found), sum(row.missed for row in found)


def _of(delays: Sequence[float]) -> tuple[str, str]:
    """Median and longest of those that came to an end."""
    ended = [delay for delay in delays if delay < NEVER / 2]
    never = len(ended) < len(delays)
    return (f"{np.median(ended):.2f}" if ended else "-", "never" if never else f"{max(ended):.2f}")


def _no_tones() -> int:
    count, seconds, wrong = 0, 0.0, []
    for name, samples, law in no_tones():
        ended = listen(samples, law, None)
        count, seconds = count + 1, seconds + len(samples) / SAMPLE_RATE
        if ended.event is not None:
            wrong.append(name)
    show(
        "Speech in five languages, in noise, held vowels, tunes, ringing: taken for a tone of the network",
        ["", "recordings", "hours", "taken for a tone"],
        [[", ".join(wrong), str(count), f"{seconds / 3600:.1f}", str(len(wrong))]],
    )
    return len(wrong)
