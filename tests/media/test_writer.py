"""Recordings on disks that are slow, full or broken."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.media.slow_disk import SlowDisk
from tests.support import until
from voice.media import wav
from voice.media.g711 import Law
from voice.media.wav import HEADER_SIZE
from voice.media.writer import SpoolFile, SpoolWriter

BLOCK = b"\x55" * 8000


def test_blocks_are_in_order_and_the_file_is_whole(tmp_path: Path, writer: SpoolWriter) -> None:
    files = [SpoolFile(tmp_path / f"{number}.wav", Law.PCMA, writer) for number in range(20)]
    for count in range(30):
        for number, file in enumerate(files):
            file.append(bytes((number, count)) * 50)
    for number, file in enumerate(files):
        assert file.finish(b"end") == (3003 / 8000, HEADER_SIZE + 3004)
        audio = b"".join(bytes((number, count)) * 50 for count in range(30)) + b"end"
        assert (tmp_path / f"{number}.wav").read_bytes() == wav.header(Law.PCMA, 3003) + audio + b"\0"


def test_never_more_than_two_seconds_are_unsynced(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size - HEADER_SIZE)

    monkeypatch.setattr("voice.media.writer.os.fdatasync", sync)
    path = tmp_path / "take.wav"
    file = SpoolFile(path, Law.PCMU, writer)
    for second in range(1, 11):
        file.append(BLOCK)
        until(lambda second=second: path.stat().st_size == HEADER_SIZE + second * 8000, what="the block on disk")
        until(lambda second=second: second * 8000 - max(synced, default=0) < 16_000, what="the sync")
    assert synced == [16_000 * count for count in range(1, 6)]
    file.finish(b"")


def test_the_name_is_made_safe_with_the_first_sync(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []
    monkeypatch.setattr("voice.media.writer.sync_folder", folders.append)
    file = SpoolFile(tmp_path / "take.wav", Law.PCMU, writer)
    for _ in range(6):
        file.append(BLOCK)
    file.finish(b"")
    assert folders == [tmp_path]


def test_a_stuck_file_delays_neither_append_nor_other_files(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    stuck, free = (SpoolFile(tmp_path / f"{name}.wav", Law.PCMU, writer) for name in ("stuck", "free"))
    disk.hold(stuck)
    for _ in range(100):
        stuck.append(BLOCK)
    until(lambda: disk.waiting, what="the writer at the stuck file")
    free.append(BLOCK)
    assert free.finish(b"") == (1.0, HEADER_SIZE + 8000)
    assert disk.waiting == 1, "one thread at most is held by one file"
    disk.go.set()
    assert stuck.finish(b"") == (100.0, HEADER_SIZE + 800_000)


def test_a_full_disk_is_told_and_what_was_written_stays(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "take.wav"
    file = SpoolFile(path, Law.PCMU, writer)
    file.append(BLOCK)
    until(lambda: path.stat().st_size == HEADER_SIZE + 8000, what="the first block")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("voice.media.writer.os.write", full)
    file.append(BLOCK)
    until(lambda: file.failed, what="the fault")
    file.append(BLOCK)
    with pytest.raises(OSError, match="No space"):
        file.finish(b"rest")
    assert path.read_bytes() == wav.header(Law.PCMU, 8000) + BLOCK


def test_a_disk_that_takes_a_part_at_a_time_gets_all(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr("voice.media.writer.os.write", lambda descriptor, data: write(descriptor, data[:777]))
    path = tmp_path / "take.wav"
    file = SpoolFile(path, Law.PCMU, writer)
    file.append(BLOCK)
    file.append(bytes(range(256)))
    assert file.finish(b"tail") == (8260 / 8000, HEADER_SIZE + 8260)
    assert path.read_bytes()[HEADER_SIZE:] == BLOCK + bytes(range(256)) + b"tail"


def test_a_file_that_exists_is_not_touched(tmp_path: Path, writer: SpoolWriter) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        SpoolFile(path, Law.PCMU, writer)
    assert path.read_bytes() == b"mine"


def test_no_file_is_left_where_not_even_a_header_fits(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("voice.media.wav.os.pwrite", full)
    with pytest.raises(OSError, match="No space"):
        SpoolFile(tmp_path / "take.wav", Law.PCMU, writer)
    assert list(tmp_path.iterdir()) == []


def test_what_comes_after_the_end_of_the_writers_is_still_written(tmp_path: Path) -> None:
    writer = SpoolWriter(threads=2)
    writer.start()
    file = SpoolFile(tmp_path / "take.wav", Law.PCMU, writer)
    file.append(BLOCK)
    writer.stop()
    file.append(BLOCK)
    assert file.finish(b"") == (2.0, HEADER_SIZE + 16_000)
