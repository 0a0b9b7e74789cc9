"""What every store must do, asked of each against a real server. A new store joins by a parameter of `store`."""

import hashlib
import json
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from app.config import Settings
from app.storage import MissingObject, Store, StoreError, WrongContent, open_store
from app.storage.local import LocalStore
from tests.storage.servers import REMOTE, Servers

KEY = "messages/0b6c1f52-7d0e-4c6e-9a55-0a4b8ad3a111/5c1e2b7a-0f52-4a2b-8d59-7e1f8a9b2222.wav"
FACTS = {"id": "5c1e2b7a", "caller_name": "Zoë 王 🎙", "duration": "2.500"}
HOSTILE = (
    "", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "./a", ".hidden", "a\\b", "a\x00b", "a b", "a\n",
    "x" * 201, "ä.wav", "%2e%2e/x", "a/" * 99 + "/b",
)  # fmt: skip


# Tests of one server run in one process, so that it is started once.
@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("local", *REMOTE)])
def store(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> Store:
    """An empty store: a folder, or a prefix of its own in a bucket."""
    if request.param == "local":
        return LocalStore(tmp_path / "recordings")
    return open_store(Settings(storage=replace(servers(request.param), prefix=f"test/{uuid.uuid4().hex}/")))


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


def test_a_size_that_is_known_is_not_asked_for(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata={})
    source = store.open(KEY, 256_000)
    assert source.size == 256_000
    assert b"".join(source.blocks(100_000, 200_000)) == path.read_bytes()[100_000:200_000]


def test_the_reading_of_what_is_not_there_says_so(store):
    with pytest.raises(MissingObject):
        store.open(KEY, 256_000).blocks()


def test_objects_are_listed_by_the_start_of_their_keys(store, audio):
    path, digest = audio
    keys = {"messages/a/1.wav", "messages/a/2.wav", "messages/b/1.wav", "greetings/a.wav", "messages-old/x.wav"}
    assert set(store.list()) == set()
    for key in keys:
        store.put(key, path, sha256=digest, metadata={})
    assert set(store.list()) == keys
    assert set(store.list("messages/a/")) == {"messages/a/1.wav", "messages/a/2.wav"}
    assert set(store.list("messages/a/2")) == {"messages/a/2.wav"}
    assert set(store.list("messages")) == keys - {"greetings/a.wav"}
    assert list(store.list("nothing/here")) == []


def test_threads_share_a_store(store, audio):
    path, digest = audio
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            key = f"threads/{number}.wav"
            store.put(key, path, sha256=digest, metadata={"number": str(number)})
            assert b"".join(store.open(key).blocks(number, number + 10)) == path.read_bytes()[number : number + 10]
            assert store.stat(key).metadata == {"number": str(number)}
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_never_leads_out_of_the_store(store, audio, key):
    path, digest = audio
    with pytest.raises(StoreError):
        store.put(key, path, sha256=digest, metadata={})
    for act in (store.open, store.stat, store.delete, lambda key: store.presigned_url(key, 60)):
        with pytest.raises(StoreError):
            act(key)


TEXTS = {
    "quoted": 'a "quoted"\n line \\ \u2028',
    "spaces": "  two  spaces  ",
    "percent": "100%25 %base64, %",
    "alone": "%",
    "empty": "",
    "with_underscore": "=?utf-8?b?WsO2?=",
    "long_name": "王小明" * 42,
}


def test_metadata_of_any_text_comes_back(store, audio):
    path, digest = audio
    store.put(KEY, path, sha256=digest, metadata=TEXTS)
    assert json.loads(json.dumps(dict(store.stat(KEY).metadata))) == TEXTS
