"""The cache before a remote store: what is at hand starts at once, the rest is one request, nothing wrong stays."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.config import LimitSettings, Settings
from app.storage import AudioSource, MissingObject, StoreError, cache, open_store
from tests.storage.proxy import Proxy
from tests.storage.servers import Servers
from tests.support import until

pytestmark = pytest.mark.xdist_group("s3rver")
KEY = "messages/a/b.wav"
CONTENT = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def proxy(servers: Servers) -> Iterator[Proxy]:
    port = urlsplit(servers("s3rver").endpoint).port
    assert port
    with Proxy(port) as proxy:
        yield proxy


@pytest.fixture
def settings(servers: Servers, proxy: Proxy, tmp_path: Path) -> Settings:
    """A store behind the proxy, with one object in it, and an empty cache."""
    storage = replace(servers("s3rver"), endpoint=f"http://127.0.0.1:{proxy.port}", prefix=tmp_path.name)
    settings = Settings(instance=tmp_path / "instance", storage=storage, limits=LimitSettings(free_disk_bytes=0))
    put(settings, KEY, CONTENT, tmp_path)
    proxy.requests.clear()
    return settings


def put(settings: Settings, key: str, content: bytes, folder: Path) -> Path:
    path = folder / "take.wav"
    path.write_bytes(content)
    open_store(settings).put(key, path, sha256=hashlib.sha256(content).hexdigest(), metadata={})
    return path


def source(settings: Settings, key: str = KEY, content: bytes = CONTENT) -> AudioSource:
    return cache.open_audio(settings, key, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def files(settings: Settings) -> list[Path]:
    return [path for path in cache.folder_of(settings).rglob("*") if path.is_file() and path.name != "swept"]


def methods(proxy: Proxy) -> list[str]:
    return [method for method, _ in proxy.requests]


def test_a_seek_in_what_is_not_at_hand_is_one_request(settings: Settings, proxy: Proxy) -> None:
    assert b"".join(source(settings).blocks(100_000, 101_000)) == CONTENT[100_000:101_000]
    assert methods(proxy) == ["GET"]
    assert files(settings) == []


def test_what_was_heard_once_needs_no_store(settings: Settings, proxy: Proxy) -> None:
    assert b"".join(source(settings).blocks()) == CONTENT
    proxy.close()
    assert b"".join(source(settings).blocks()) == CONTENT
    assert b"".join(source(settings).blocks(100_000, 100_001)) == CONTENT[100_000:100_001]
    assert b"".join(source(settings).blocks(5, 5)) == b""


def test_what_was_uploaded_from_here_needs_no_store(settings: Settings, proxy: Proxy, tmp_path: Path) -> None:
    cache.keep(settings, KEY, tmp_path / "take.wav")
    (tmp_path / "take.wav").unlink()
    proxy.close()
    assert b"".join(source(settings).blocks()) == CONTENT


def test_the_cache_is_for_the_services_user_only(settings: Settings) -> None:
    list(source(settings).blocks())
    assert [path for path in files(settings) if path.stat().st_mode & 0o077] == []
    assert cache.folder_of(settings).stat().st_mode & 0o077 == 0


def test_a_listener_who_goes_away_leaves_nothing(settings: Settings) -> None:
    blocks = source(settings).blocks()
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert files(settings) == []


def test_a_damaged_file_is_read_anew(settings: Settings, proxy: Proxy) -> None:
    list(source(settings).blocks())
    (path,) = files(settings)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert b"".join(source(settings).blocks()) == CONTENT
    assert path.read_bytes() == CONTENT
    path.write_bytes(b"")
    assert b"".join(source(settings).blocks(1, 2)) == CONTENT[1:2]
    assert files(settings) == []


def test_other_bytes_in_the_store_are_an_error_and_not_kept(settings: Settings, tmp_path: Path) -> None:
    put(settings, KEY, b"x" * len(CONTENT), tmp_path)
    with pytest.raises(StoreError, match="other bytes"):
        list(source(settings).blocks())
    assert files(settings) == []


def test_what_is_not_in_the_store_is_missing(settings: Settings) -> None:
    open_store(settings).delete(KEY)
    with pytest.raises(MissingObject):
        source(settings).blocks()
    assert files(settings) == []


def test_forget_removes_it_and_may_run_twice(settings: Settings) -> None:
    list(source(settings).blocks())
    open_store(settings).delete(KEY)
    cache.forget(settings, KEY)
    cache.forget(settings, KEY)
    assert files(settings) == []


def test_what_is_purged_while_it_is_heard_does_not_stay(settings: Settings) -> None:
    blocks = source(settings).blocks()
    heard = [next(blocks)]
    open_store(settings).delete(KEY)
    cache.forget(settings, KEY)
    heard += list(blocks)
    assert b"".join(heard) == CONTENT
    assert files(settings) == []


def test_what_was_not_heard_for_longest_goes_first(settings: Settings, tmp_path: Path) -> None:
    small = replace(settings, storage=replace(settings.storage, cache_bytes=2 * len(CONTENT)))
    others = {f"messages/a/{number}.wav": bytes([number]) * len(CONTENT) for number in range(2)}
    list(source(small).blocks())
    for age, (key, content) in enumerate(others.items()):
        put(small, key, content, tmp_path)
        # All that is there was heard long ago, but KEY just now.
        for path in files(small):
            os.utime(path, (1, path.stat().st_mtime - 100 - age))
        list(source(small).blocks(0, 1))
        list(source(small, key, content).blocks())
    assert sum(path.stat().st_size for path in files(small)) <= 2 * len(CONTENT)
    kept = {path.read_bytes()[:2] for path in files(small)}
    assert kept == {CONTENT[:2], b"\1\1"}


def test_what_nobody_heard_for_a_week_goes(settings: Settings) -> None:
    list(source(settings).blocks())
    (path,) = files(settings)
    cache.sweep(settings)
    assert path.exists()
    os.utime(path, (1, path.stat().st_mtime - cache.UNHEARD_SECONDS - 60))
    cache.sweep(settings)
    assert not path.exists()


@pytest.mark.parametrize("limits", [{"cache_bytes": 0}, {"cache_bytes": len(CONTENT) - 1}])
def test_what_has_no_room_is_heard_all_the_same(settings: Settings, limits: dict[str, int]) -> None:
    without = replace(settings, storage=replace(settings.storage, **limits))
    assert b"".join(source(without).blocks()) == CONTENT
    assert files(without) == []


def test_calls_need_the_disk_more(settings: Settings, tmp_path: Path) -> None:
    full = replace(settings, limits=LimitSettings(free_disk_bytes=1 << 60))
    cache.keep(full, KEY, tmp_path / "take.wav")
    assert b"".join(source(full).blocks()) == CONTENT
    assert files(full) == []


def test_a_folder_that_cannot_be_made_is_no_hindrance(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    broken = replace(settings, instance=tmp_path / "file")
    cache.keep(broken, KEY, tmp_path / "take.wav")
    cache.sweep(broken)
    assert b"".join(source(broken).blocks()) == CONTENT


def test_many_listeners_at_once(settings: Settings) -> None:
    heard: list[bytes] = []

    def listen() -> None:
        heard.append(b"".join(source(settings).blocks()))

    threads = [threading.Thread(target=listen) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: not any(thread.is_alive() for thread in threads), 60, "all to have heard it")
    assert heard == [CONTENT] * 8
    (path,) = files(settings)
    assert path.read_bytes() == CONTENT


def test_a_local_store_has_no_cache(tmp_path: Path) -> None:
    local = Settings(instance=tmp_path, storage=replace(Settings().storage, folder=tmp_path / "recordings"))
    path = put(local, KEY, CONTENT, tmp_path)
    cache.keep(local, KEY, path)
    assert b"".join(source(local).blocks()) == CONTENT
    assert not cache.folder_of(local).exists()
    open_store(local).delete(KEY)
    with pytest.raises(MissingObject):
        source(local)
