"""The cache of sounds beside a voice worker: what comes in, what is fetched once, what goes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voice import sound_cache
from voice.media import wav
from voice.media.g711 import Law
from voice.sound_cache import SoundCache

SOUND = wav.header(Law.PCMU, 1600) + bytes(1600)


class Origin:
    """Where a sound comes from; counts how often it was asked."""

    def __init__(self, content: bytes = SOUND) -> None:
        self.content, self.asked = content, 0

    def blocks(self) -> Iterator[bytes]:
        self.asked += 1
        yield self.content[:100]
        yield self.content[100:]


def fetch(cache: SoundCache, name: str, origin: Origin) -> Path:
    return cache.fetch(name, hashlib.sha256(origin.content).hexdigest(), lambda: origin)


def age(path: Path, seconds: float) -> None:
    for each in path.parent.glob(f"{path.stem}.*"):
        os.utime(each, (time.time() - seconds,) * 2)


def test_many_who_want_one_sound_fetch_it_once(tmp_path: Path) -> None:
    cache, origin = SoundCache(tmp_path / "sounds"), Origin()
    with ThreadPoolExecutor(20) as pool:
        paths = set(pool.map(lambda _: fetch(cache, "one", origin), range(20)))
    assert origin.asked == 1
    assert [path.read_bytes() for path in paths] == [SOUND]
    assert sorted(path.name for path in (tmp_path / "sounds").iterdir()) == ["one.pcma", "one.pcmu", "one.wav"]


@pytest.mark.parametrize("content", [b"", b"no sound at all"])
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match="WAV"):
        fetch(SoundCache(tmp_path), "one", Origin(content))


def test_what_is_not_what_was_stored_leaves_nothing(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path)
    with pytest.raises(ValueError, match="something else"):
        cache.fetch("one", "00" * 32, Origin)
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_asked_for_longest_goes_first(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path)
    paths = [fetch(cache, name, Origin()) for name in ("old", "older", "new")]
    age(paths[0], 700)
    age(paths[1], 800)
    family = sum(path.stat().st_size for path in tmp_path.glob("new.*"))
    cache.shrink(2 * family, 3600)
    assert sorted(cache.names()) == ["new", "old"]
    # One that is in use stays, whatever the size.
    cache.shrink(0, 3600)
    assert cache.names() == ["new"]
    age(paths[2], 3700)
    cache.shrink(10**9, 3600)
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_asked_for_again_is_young_again(tmp_path: Path) -> None:
    cache, origin = SoundCache(tmp_path), Origin()
    age(fetch(cache, "one", origin), 3700)
    fetch(cache, "one", origin)
    cache.shrink(0, 3600)
    assert cache.names() == ["one"]


def test_a_fetch_that_a_kill_broke_off_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = SoundCache(tmp_path)
    (tmp_path / "left.part").write_bytes(b"half")
    cache.shrink(0, 3600)
    assert (tmp_path / "left.part").exists()
    monkeypatch.setattr(sound_cache, "YOUNG_SECONDS", 0.0)
    cache.shrink(0, 3600)
    assert not (tmp_path / "left.part").exists()


def test_removed_by_name_with_its_payloads(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path)
    fetch(cache, "one", Origin())
    fetch(cache, "two", Origin())
    cache.remove("one")
    cache.remove("one")
    assert cache.names() == ["two"]
    assert not list(tmp_path.glob("one.*"))
