"""What every store must do. A new store joins by a parameter of the fixture `store`."""

import hashlib
import json
from pathlib import Path

import pytest

from app.storage import MissingObject, Store, StoreError, WrongContent
from app.storage.local import LocalStore

KEY = "messages/0b6c1f52-7d0e-4c6e-9a55-0a4b8ad3a111/5c1e2b7a-0f52-4a2b-8d59-7e1f8a9b2222.wav"
FACTS = {"id": "5c1e2b7a", "caller_name": "Zoë 王 🎙", "duration": "2.500"}
HOSTILE = (
    "", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "./a", ".hidden", "a\\b", "a\x00b", "a b", "a\n",
    "x" * 201, "ä.wav", "%2e%2e/x", "a/" * 99 + "/b",
)  # fmt: skip


@pytest.fixture(params=["local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return {"local": lambda: LocalStore(tmp_path / "recordings")}[request.param]()


def written(path: Path, content: bytes) -> tuple[Path, str]:
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


@pytest.fixture
def audio(tmp_path: Path) -> tuple[Path, str]:
    return written(tmp_path / "take.wav", bytes(range(256)) * 1000)


def test_what_is_put_comes_back(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, content_type="audio/wav", metadata=FACTS)
    source = store.open(KEY)
    assert (source.size, source.sha256) == (path.stat().st_size, digest)
    assert b"".join(source.blocks()) == path.read_bytes()


def test_the_object_says_enough_to_make_its_row_again(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, content_type="audio/ogg", metadata=FACTS)
    facts = store.stat(KEY)
    assert (facts.size, facts.sha256, facts.content_type) == (path.stat().st_size, digest, "audio/ogg")
    assert dict(facts.metadata) == FACTS


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (0, None), (100, 200), (65_535, 65_537), (255_999, 256_000), (256_000, None), (5, 5)]
)
def test_any_range_can_be_read(store, audio, start, end):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata={})
    assert b"".join(store.open(KEY).blocks(start, end)) == path.read_bytes()[start:end]


def test_a_range_beyond_the_end_stops_at_the_end(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata={})
    assert b"".join(store.open(KEY).blocks(255_990, 10**9)) == path.read_bytes()[255_990:]
    assert b"".join(store.open(KEY).blocks(10**9)) == b""


def test_a_second_put_changes_nothing(store, audio):
    path, digest = audio
    for _ in range(2):
        store.put(KEY, path, sha256=digest, metadata=FACTS)
    assert b"".join(store.open(KEY).blocks()) == path.read_bytes()
    assert dict(store.stat(KEY).metadata) == FACTS


def test_a_put_over_a_damaged_object_mends_it(store, audio, tmp_path):
    path, digest = audio
    other, other_digest = written(tmp_path / "other.wav", b"x" * path.stat().st_size)
    store.put(KEY, other, sha256=other_digest, metadata={})
    store.put(KEY, path, sha256=digest, metadata={})
    assert b"".join(store.open(KEY).blocks()) == path.read_bytes()
    assert store.stat(KEY).sha256 == digest


def test_a_file_that_is_not_what_its_hash_says_is_refused(store, audio):
    path, _ = audio
    with pytest.raises(WrongContent):
        store.put(KEY, path, sha256="0" * 64, metadata={})
    assert store.stat(KEY) is None


def test_a_refused_file_leaves_what_was_there_as_it_was(store, audio, tmp_path):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata=FACTS)
    other, _ = written(tmp_path / "other.wav", b"other")
    with pytest.raises(WrongContent):
        store.put(KEY, other, sha256="0" * 64, metadata={})
    assert dict(store.stat(KEY).metadata) == FACTS
    assert b"".join(store.open(KEY).blocks()) == path.read_bytes()


def test_a_file_that_is_not_there_is_told_apart_from_a_store_that_is_away(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        store.put(KEY, tmp_path / "none.wav", sha256="0" * 64, metadata={})
    assert store.stat(KEY) is None


def test_an_empty_file_is_an_object_too(store, tmp_path):
    path, digest = written(tmp_path / "empty.wav", b"")
    store.put(KEY, path, sha256=digest, metadata={})
    assert store.open(KEY).size == 0
    assert b"".join(store.open(KEY).blocks()) == b""


def test_delete_leaves_nothing_and_may_run_twice(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata=FACTS)
    store.delete(KEY)
    store.delete(KEY)
    assert store.stat(KEY) is None
    with pytest.raises(MissingObject):
        store.open(KEY)


def test_a_reader_goes_on_when_its_object_is_deleted(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata={})
    blocks = store.open(KEY).blocks()
    store.delete(KEY)
    assert b"".join(blocks) == path.read_bytes()


def test_an_object_deleted_between_open_and_reading_is_missing(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata={})
    source = store.open(KEY)
    store.delete(KEY)
    with pytest.raises(MissingObject):
        source.blocks()


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_never_leads_out_of_the_store(store, audio, key):
    path, digest = audio
    with pytest.raises(StoreError):
        store.put(key, path, sha256=digest, metadata={})
    for act in (store.open, store.stat, store.delete):
        with pytest.raises(StoreError):
            act(key)


def test_metadata_survives_as_json(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata={"text": 'a "quoted"\n line \\ \u2028'})
    assert json.loads(json.dumps(dict(store.stat(KEY).metadata))) == {"text": 'a "quoted"\n line \\ \u2028'}
