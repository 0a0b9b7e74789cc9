"""The folder of spoken sentences: bounded, and whole after any crash."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.synthesis.sounds import samples_of
from voice.media.g711 import Law
from voice.prompts import payload_path
from voice.synthesis.speech_cache import SpeechCache

SECOND = bytes(16000)
# A WAV of a second with both payloads.
SIZE = 16000 + 44 + 2 * 8000


def cache(folder: Path, most: int = 10 * SIZE) -> SpeechCache:
    return SpeechCache(folder, most)


def used_ago(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    for each in (path, *(payload_path(path, law) for law in Law)):
        if each.exists():
            os.utime(each, (then, then))


def test_what_was_put_is_found(tmp_path: Path) -> None:
    speech = cache(tmp_path / "made")
    path = speech.put("one", SECOND)
    assert speech.find("one") == path
    assert speech.find("two") is None
    assert speech.samples(path) == SECOND == samples_of(path).tobytes()
    assert speech.prepared(path) == 1.0
    assert sorted(each.name for each in path.parent.iterdir()) == ["one.pcma", "one.pcmu", "one.wav"]


def test_a_file_that_a_power_cut_left_is_no_sound(tmp_path: Path) -> None:
    for content in (b"", bytes(5000), b"RIFF"):
        (tmp_path / "one.wav").write_bytes(content)
        assert cache(tmp_path).find("one") is None


def test_payloads_of_a_broken_file_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "one.wav").write_bytes(b"")
    (tmp_path / "one.pcmu").write_bytes(b"of another")
    speech = cache(tmp_path)
    speech.prepared(speech.put("one", SECOND))
    assert (tmp_path / "one.pcmu").stat().st_size == 8000


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    speech = cache(tmp_path, 4 * SIZE)
    paths = [speech.put(f"s{number}", SECOND) for number in range(6)]
    for number, path in enumerate(paths):
        speech.prepared(path)
        used_ago(path, 10000 - number * 1000)
    assert speech.find("s0")
    speech.shrink()
    assert {path.stem for path in tmp_path.iterdir()} == {"s0", "s4", "s5"}


def test_nothing_goes_below_the_limit(tmp_path: Path) -> None:
    speech = cache(tmp_path, 7 * SIZE)
    paths = [speech.put(f"s{number}", SECOND) for number in range(6)]
    for path in paths:
        speech.prepared(path)
        used_ago(path, 10000)
    speech.shrink()
    assert len(list(tmp_path.iterdir())) == 18


def test_what_is_about_to_be_played_stays(tmp_path: Path) -> None:
    speech = cache(tmp_path, 0)
    path = speech.put("one", SECOND)
    speech.shrink()
    assert speech.find("one") == path


def test_what_a_crash_left_behind_goes(tmp_path: Path) -> None:
    for name in ("tmpx.part", "gone.pcmu"):
        (tmp_path / name).write_bytes(b"x")
        used_ago(tmp_path / name, 3600)
    (tmp_path / "young.part").write_bytes(b"x")
    cache(tmp_path).shrink()
    assert [path.name for path in tmp_path.iterdir()] == ["young.part"]


def test_writing_keeps_it_within_the_limit(tmp_path: Path) -> None:
    speech = cache(tmp_path, 10 * SIZE)
    for number in range(60):
        path = speech.put(f"s{number}", SECOND)
        speech.prepared(path)
        used_ago(path, 5000 - number)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 11 * SIZE


def test_no_folder_yet(tmp_path: Path) -> None:
    speech = cache(tmp_path / "none")
    speech.shrink()
    assert speech.find("one") is None
