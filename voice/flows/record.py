"""A recording in the menus: made, listened to, kept or made again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voice import trimming
from voice.flows.keys import RECORDING, Do
from voice.flows.talk import ATTEMPTS, Talk
from voice.media.wav import HEADER_SIZE
from voice.verbs import Play, Record, Say


@contextmanager
def recorded(talk: Talk, prompt: str) -> Iterator[Path | None]:
    """A recording that its owner wants to keep, as long as the block runs; None where there is none.

    It ends like a message: by #, silence, a tone of the network or the longest duration. A hang-up keeps nothing.
    OSError where it cannot be written.
    """
    talk.desk.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=talk.desk.folder) as folder:
        yield _record(talk, prompt, Path(folder) / "recording.wav")


def _record(talk: Talk, prompt: str, path: Path) -> Path | None:
    for _ in range(ATTEMPTS):
        talk.say(prompt)
        while _take(talk, path):
            does = _review(talk, path)
            if does is Do.KEEP:
                return path
            if does is not Do.RECORD_AGAIN:
                return None
        talk.say("recording_too_short")
    return None


def _take(talk: Talk, path: Path) -> bool:
    """Record; True where something was said."""
    path.unlink(missing_ok=True)
    limits = talk.desk.limits
    Play(talk.desk.prompts.tone("beep", talk.call.law)).run(talk.call)
    talk.call.forget_digits()
    take = Record(path, limits.silence_timeout, limits.max_duration).run(talk.call)
    said = take.result.frames > 0 and take.result.heard.speech >= talk.desk.min_speech
    if said and (samples := trimming.end_of_message(take, talk.desk.trailing_silence)) is not None:
        trimming.cut(path, HEADER_SIZE + samples)
    return said


def _review(talk: Talk, path: Path) -> Do:
    while True:
        does = talk.choose(RECORDING)
        if does is not Do.LISTEN:
            return does
        # It is in the law of this call already.
        Say(path.read_bytes()[HEADER_SIZE:]).run(talk.call)
