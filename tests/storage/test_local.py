"""What only the local store can do wrong: half-written files, leftovers, folders that cannot be written."""

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.config import Settings, StorageSettings
from app.storage import AudioSource, MissingObject, StoreError, message_key, open_store
from app.storage.local import STALE_PART_SECONDS, LocalStore

CONTENT = b"RIFF" + bytes(100_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
KEY = message_key("box", "message")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "recordings"


@pytest.fixture
def store(folder: Path) -> LocalStore:
    return LocalStore(folder)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    path = tmp_path / "take.wav"
    path.write_bytes(CONTENT)
    return path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_the_object_its_facts_and_no_part(store, folder, take):
    store.put(KEY, take, sha256=DIGEST, metadata={})
    assert files(folder) == {f"objects/{KEY}", f"facts/{KEY}.json"}


def test_recordings_are_for_the_services_user_only(store, folder, take):
    store.put(KEY, take, sha256=DIGEST, metadata={})
    assert not [path for path in folder.rglob("*") if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_disk_that_fails_leaves_no_object_and_no_part(store, folder, take, monkeypatch, step):
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(StoreError, match="No space left"):
        store.put(KEY, take, sha256=DIGEST, metadata={})
    monkeypatch.undo()
    assert files(folder) == set()
    store.put(KEY, take, sha256=DIGEST, metadata={})
    assert store.stat(KEY).sha256 == DIGEST


def test_every_byte_and_name_is_synced_before_put_returns(store, folder, take, monkeypatch):
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    store.put(KEY, take, sha256=DIGEST, metadata={})
    object_folder = str((folder / "objects" / KEY).parent)
    assert synced[-1] == object_folder
    assert len([name for name in synced if name.endswith(".part")]) == 2
    # The names of new folders are synced in the folder above them.
    assert {str(folder.parent.parent), str(folder.parent), str(folder), str(folder / "objects")} <= set(synced)


def test_an_interrupted_put_is_swept_when_it_is_old(store, folder, take):
    parts = folder / "parts"
    parts.mkdir(parents=True)
    old, young = parts / "old.part", parts / "young.part"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (1, os.stat(old).st_mtime - STALE_PART_SECONDS - 1))
    store.put(KEY, take, sha256=DIGEST, metadata={})
    assert (old.exists(), young.exists()) == (False, True)


def test_facts_that_are_damaged_do_not_hide_the_audio(store, folder, take):
    store.put(KEY, take, sha256=DIGEST, metadata={})
    for damage in ("", "{", "[]", '{"size": 1}'):
        (folder / "facts" / f"{KEY}.json").write_text(damage)
        assert store.stat(KEY).sha256 is None
        assert b"".join(store.open(KEY).blocks()) == CONTENT
    store.put(KEY, take, sha256=DIGEST, metadata={"id": "1"})
    assert store.stat(KEY).sha256 == DIGEST


def test_two_at_once_make_one_whole_object(store, folder, take):
    errors: list[BaseException] = []

    def put() -> None:
        try:
            store.put(KEY, take, sha256=DIGEST, metadata={})
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert b"".join(store.open(KEY).blocks()) == CONTENT
    assert files(folder) == {f"objects/{KEY}", f"facts/{KEY}.json"}


def test_a_folder_that_is_a_file_is_one_clear_error(tmp_path, take):
    (tmp_path / "recordings").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        LocalStore(tmp_path / "recordings").put(KEY, take, sha256=DIGEST, metadata={})


def test_a_file_of_this_host_is_a_source_too(take, tmp_path):
    source = AudioSource.of_file(take)
    assert b"".join(source.blocks(4, 8)) == bytes(4)
    with pytest.raises(MissingObject):
        AudioSource.of_file(tmp_path / "none.wav")


def test_the_settings_name_the_folder(tmp_path, take):
    settings = replace(Settings(), storage=StorageSettings(folder=tmp_path / "elsewhere"))
    open_store(settings).put(KEY, take, sha256=DIGEST, metadata={})
    assert (tmp_path / "elsewhere" / "objects" / KEY).read_bytes() == CONTENT
