"""A recording in the menus: made, listened to, kept or made again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voice import trimming
from voice.flows.keys import RECORDING, Do
from voice.flows.talk import ATTEMPTS, Talk
from voice.flows.visit import Visit
from voice.media.wav import HEADER_SIZE
from voice.verbs import Record


@contextmanager
def recorded(visit: Visit, prompt: str) -> Iterator[Path | None]:
    """A recording that its owner wants to keep, as long as the block runs; None where there is none.

    It ends like a message: by #, silence or a tone of the network, or at the longest that a greeting may be. A hang-up
    keeps nothing.
    OSError where it cannot be written.
    """
    place = visit.talk.desk.folder
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield _record(visit, prompt, Path(folder) / "recording.wav")


def _record(visit: Visit, prompt: str, path: Path) -> Path | None:
    talk = visit.talk
    for _ in range(ATTEMPTS):
        talk.say(prompt)
        while _take(visit, path):
            does = _review(talk, path)
            if does is Do.KEEP:
                return path
            if does is not Do.RECORD_AGAIN:
                return None
        talk.say("recording_too_short")
    return None


def _take(visit: Visit, path: Path) -> bool:
    """Record; True where something was said."""
    talk, opened = visit.talk, visit.opened
    path.unlink(missing_ok=True)
    talk.tone("beep")
    talk.call.forget_digits()
    silence = talk.desk.limits.silence_timeout if opened.silence_timeout is None else opened.silence_timeout
    take = Record(path, silence, talk.desk.greeting_seconds).run(talk.call)
    enough = talk.desk.min_speech if opened.min_speech is None else opened.min_speech
    said = take.result.duration > 0 and take.result.heard.speech >= enough
    if said and (samples := trimming.end_of_message(take.result, talk.desk.trailing_silence)) is not None:
        trimming.cut(path, HEADER_SIZE + samples)
    return said


def _review(talk: Talk, path: Path) -> Do:
    while True:
        does = talk.choose(RECORDING)
        if does is not Do.LISTEN:
            return does
        talk.replay(path)
