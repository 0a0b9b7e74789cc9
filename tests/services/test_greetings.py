"""Greetings: whatever is uploaded is made fit for the telephone, or refused with a sentence."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import soundfile
from flask import Flask
from sqlalchemy import func, select

from app import create_app
from app.errors import Invalid, NotFound, Unavailable
from app.extensions import db
from app.models import Audit, Greeting, Mailbox
from app.services import greetings, mailboxes, uploads
from app.services.context import settings
from app.storage import StoreError
from app.storage.local import LocalStore
from tests.services.sounds import encoded, endless, level_of, lying, tone
from tests.services.together import together
from tests.support import make_settings

PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" + bytes(range(256)) * 40 + b"%%EOF\n"
PICTURE = b"\x89PNG\r\n\x1a\n" + zlib.compress(b"x" * 1000)
NAN, INFINITE = np.float32("nan"), np.float32("inf")


@pytest.fixture
def extension(app: Flask, mailbox: str) -> Iterator[str]:
    """A mailbox on SQLite: what is decoded does not depend on the database."""
    with app.app_context():
        yield mailbox


def upload(extension: str, file: IO[bytes]) -> Greeting:
    return greetings.set_greeting(extension, file, actor="test")


def stored(extension: str) -> bytes:
    greeting = greetings.find(extension)
    assert greeting is not None
    return b"".join(greetings.open_greeting(greeting).blocks())


def objects() -> list[Path]:
    """Audio that the store holds."""
    return list(settings().storage.folder.rglob("*.wav"))


def with_some(value: np.float32) -> io.BytesIO:
    """Sound in 32-bit floats, some of which are no sound."""
    samples = tone().astype(np.float32)
    samples[4000:4010] = value
    return encoded(samples, subtype="FLOAT")


GOOD: dict[str, Callable[[], IO[bytes]]] = {
    "8 kHz, 16 bit": lambda: encoded(tone()),
    "192 kHz": lambda: encoded(tone(rate=192_000), 192_000),
    "24 bit": lambda: encoded(tone(rate=44_100), 44_100, "PCM_24"),
    "32-bit float": lambda: encoded(tone(rate=48_000), 48_000, "FLOAT"),
    "64-bit float": lambda: encoded(tone(rate=48_000), 48_000, "DOUBLE"),
    "8 bit": lambda: encoded(tone(rate=11_025), 11_025, "PCM_U8"),
    "stereo": lambda: encoded(tone(rate=44_100, channels=2), 44_100),
    "eight channels": lambda: encoded(tone(rate=48_000, channels=8), 48_000),
    "G.711 mu-law": lambda: encoded(tone(), subtype="ULAW"),
    "G.711 A-law": lambda: encoded(tone(), subtype="ALAW"),
    "FLAC": lambda: encoded(tone(rate=44_100), 44_100, "PCM_16", "FLAC"),
    "Ogg Vorbis": lambda: encoded(tone(rate=44_100), 44_100, "VORBIS", "OGG"),
    "Ogg Opus": lambda: encoded(tone(rate=48_000), 48_000, "OPUS", "OGG"),
    "MP3": lambda: encoded(tone(rate=44_100), 44_100, "MPEG_LAYER_III", "MP3"),
    "AIFF": lambda: encoded(tone(rate=44_100), 44_100, "PCM_16", "AIFF"),
    "a header that promises more": lambda: lying(2**31 - 100),
    "floats far above full scale": lambda: encoded((tone() * 1e30).astype(np.float32), subtype="FLOAT"),
    "very quiet": lambda: encoded(tone(level_dbfs=-45), subtype="PCM_24"),
    "very loud": lambda: encoded(np.clip(tone(level_dbfs=6), -1, 1)),
}

BAD: dict[str, tuple[Callable[[], IO[bytes]], str]] = {
    "empty": (io.BytesIO, "The file is empty."),
    "text": (lambda: io.BytesIO(b"Hello!"), "not an audio file"),
    "a renamed PDF": (lambda: io.BytesIO(PDF), "not an audio file"),
    "a picture": (lambda: io.BytesIO(PICTURE), "not an audio file"),
    "zeros": (lambda: io.BytesIO(bytes(100_000)), "not an audio file"),
    "only RIFF": (lambda: io.BytesIO(b"RIFF\xff\xff\xff\xffWAVE"), "not an audio file"),
    "cut in its header": (lambda: io.BytesIO(encoded(tone()).getvalue()[:30]), "not an audio file"),
    "no samples": (lambda: encoded(np.zeros(0)), "no audio"),
    "too short": (lambda: encoded(tone(0.05)), "no audio to speak of"),
    "silence": (lambda: encoded(np.zeros(16_000)), "only silence"),
    "hardly more than silence": (lambda: encoded(tone(level_dbfs=-70), subtype="PCM_24"), "only silence"),
    "not a number": (lambda: with_some(NAN), "holds values that are no sound"),
    "infinite": (lambda: with_some(INFINITE), "holds values that are no sound"),
    "nine channels": (lambda: encoded(tone(channels=9)), "9 channels; at most 8"),
    "1 Hz": (lambda: encoded(tone(), 1), "sample rate of 1 Hz"),
    "2 GHz": (lambda: encoded(tone(), 2_000_000_000), "sample rate of 2000000000 Hz"),
    "three hours": (lambda: endless(3.0), "at most 180 seconds"),
    "a second too long": (lambda: encoded(tone(181)), "at most 180 seconds"),
}


@pytest.mark.parametrize("name", GOOD)
def test_any_audio_becomes_what_a_telephone_plays(extension: str, name: str) -> None:
    greeting = upload(extension, GOOD[name]())
    audio = stored(extension)
    facts = soundfile.info(io.BytesIO(audio))
    assert (facts.samplerate, facts.channels, facts.subtype, facts.format) == (8000, 1, "PCM_16", "WAV")
    assert greeting.duration == pytest.approx(1.0, abs=0.1)
    assert (greeting.size, facts.duration) == (len(audio), pytest.approx(greeting.duration, abs=0.001))
    # A quiet file is raised by 20 dB at most.
    wanted = -25.0 if name == "very quiet" else -20.0
    assert level_of(audio) == pytest.approx(wanted, abs=1.0)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_a_sentence(extension: str, name: str) -> None:
    make, words = BAD[name]
    with pytest.raises(Invalid) as refused:
        upload(extension, make())
    assert list(refused.value.fields) == ["greeting"]
    assert words in refused.value.fields["greeting"]
    assert greetings.find(extension) is None
    assert objects() == []


def test_three_hours_are_refused_without_being_decoded(extension: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(soundfile.SoundFile, "blocks", lambda *a, **k: read.append(1) or iter(()))
    with pytest.raises(Invalid) as refused:
        upload(extension, endless(3.0))
    assert "at most 180 seconds" in refused.value.fields["greeting"]
    assert read == []


def test_no_more_is_read_than_may_be(extension: str, app: Flask, tmp_path: Path) -> None:
    class Torrent(io.RawIOBase):
        sent = 0

        def read(self, size: int = -1) -> bytes:
            self.sent += size
            return bytes(size)

    small = create_app(
        make_settings(
            tmp_path / "small",
            VOICEMAIL__LIMITS__UPLOAD_BYTES="1000000",
            DATABASE_URL=app.extensions["settings"].database_url,
        )
    )
    torrent = Torrent()
    with small.app_context(), pytest.raises(Invalid) as refused:
        upload(extension, torrent)  # type: ignore[arg-type]
    assert refused.value.fields == {"greeting": "The file is larger than 1 MB."}
    assert torrent.sent < 1_200_000


def test_the_upload_is_read_as_it_comes(extension: str) -> None:
    """A browser's upload is read in pieces of any size, and leaves nothing behind in the temporary folder."""
    whole = encoded(tone(3.0)).getvalue()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 100, 100))

    assert upload(extension, Slow(whole)).duration == pytest.approx(3.0, abs=0.01)


def test_a_greeting_is_replaced_and_removed(any_app: Flask, box: Mailbox) -> None:
    first = upload("1001", encoded(tone(1.0))).id
    second = upload("1001", encoded(tone(2.0)))
    assert second.id != first
    assert [path.stat().st_size for path in objects()] == [second.size]
    assert mailboxes.counts_of(mailboxes.get("1001")).has_greeting
    upload("1001", encoded(tone(2.0)))
    assert len(objects()) == 1
    assert stored("1001")
    greetings.remove_greeting("1001", actor="test")
    greetings.remove_greeting("1001", actor="test")
    assert (greetings.find("1001"), objects()) == (None, [])


def test_uploads_at_once_leave_one_greeting(any_app: Flask, box: Mailbox) -> None:
    results = together(
        any_app, *[lambda seconds=seconds: upload("1001", encoded(tone(seconds))) for seconds in (1.0, 2.0, 1.0)]
    )
    assert [type(result) for result in results] == [Greeting] * 3
    db.session.expire_all()
    assert db.session.query(Greeting).count() == 1
    assert stored("1001")
    assert len(objects()) == 1


def test_removed_at_once_by_several(any_app: Flask, box: Mailbox) -> None:
    upload("1001", encoded(tone(1.0)))
    results = together(any_app, *[lambda: greetings.remove_greeting("1001", actor="test")] * 3)
    assert sorted(results) == [False, False, True]
    db.session.rollback()
    lines = select(func.count()).select_from(Audit).where(Audit.action == "greeting.remove")
    assert db.session.scalar(lines) == 1


def test_a_mailbox_that_is_deleted_during_the_upload_leaves_nothing_in_the_store(
    any_app: Flask, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = uploads.take

    def stored_and_then_deleted(*arguments: Any, **more: Any) -> uploads.Stored:
        made = real(*arguments, **more)
        assert objects() != []
        mailboxes.delete("1001", confirm="1001", actor="test")
        return made

    monkeypatch.setattr(uploads, "take", stored_and_then_deleted)
    with pytest.raises(NotFound):
        upload("1001", encoded(tone(1.0)))
    assert objects() == []


def test_no_mailbox_no_greeting(extension: str) -> None:
    for act in (
        lambda: upload("9", encoded(tone())),
        lambda: greetings.find("9"),
        lambda: greetings.remove_greeting("9", actor="test"),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_store_that_is_away_is_said_to_be_so(extension: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def put(self, *arguments: object, **more: object) -> None:
            raise StoreError("away")

        open = delete = put

    greeting = upload(extension, encoded(tone()))
    for name in ("open_store", "open_to_change"):
        monkeypatch.setattr(uploads, name, lambda settings: Away())
    with pytest.raises(Unavailable):
        upload(extension, encoded(tone(2.0)))
    with pytest.raises(Unavailable):
        greetings.open_greeting(greeting)
    greetings.remove_greeting(extension, actor="test")
    assert greetings.find(extension) is None


def test_a_greeting_that_the_store_lost_is_not_found(extension: str) -> None:
    greeting = upload(extension, encoded(tone()))
    for path in objects():
        path.unlink()
    with pytest.raises(NotFound):
        greetings.open_greeting(greeting)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_never_end_in_a_traceback(extension: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    makers = [GOOD["24 bit"], GOOD["FLAC"], GOOD["Ogg Vorbis"], GOOD["MP3"], GOOD["AIFF"]]
    for make in makers:
        data = bytearray(make().read())
        for at in random.integers(0, len(data), 40):
            data[at] = random.integers(0, 256)
        head = struct.pack("<I", int(random.integers(0, 2**32)))
        data[24:28] = head if seed == 2 else data[24:28]
        before = len(objects())
        with suppress(Invalid):
            upload(extension, io.BytesIO(bytes(data)))
            before = 1
        # Taken as a whole, or refused as a whole.
        assert len(objects()) == before


def test_a_greeting_is_gone_though_the_store_hangs(
    any_app: Flask, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs holds neither the old greeting in force, nor a lock on its mailbox."""
    greetings.set_greeting("1001", encoded(tone()), actor="test")
    asked, answers = threading.Event(), threading.Event()
    real = LocalStore.delete

    def hang(store: LocalStore, key: str) -> None:
        asked.set()
        assert answers.wait(30)
        real(store, key)

    monkeypatch.setattr(LocalStore, "delete", hang)

    def remove() -> bool:
        with any_app.app_context():
            return greetings.remove_greeting("1001", actor="test")

    with ThreadPoolExecutor(1) as pool:
        removal = pool.submit(remove)
        try:
            assert asked.wait(10)
            assert greetings.find("1001") is None
            greetings.set_greeting("1001", encoded(tone(2.0)), actor="test")
            assert not removal.done()
        finally:
            answers.set()
        assert removal.result(10)
    assert len(stored("1001")) > 2 * 16_000
    assert len(objects()) == 1
