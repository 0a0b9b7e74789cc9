"""Recordings on their way to disk: blocks of about a second, written and synced by threads of their own."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from queue import SimpleQueue

from voice.media import wav
from voice.media.g711 import Law

log = logging.getLogger(__name__)
THREADS = 8
BLOCKS_PER_SYNC = 2


class SpoolFile:
    """A recording that grows. append() never waits for the disk, finish() does.

    At most one thread writes it at a time, so blocks stay in order. Every second block is synced: with
    blocks of 1 s a power cut loses 2 s at most.
    """

    __slots__ = (
        "_busy",
        "_descriptor",
        "_error",
        "_idle",
        "_lock",
        "_named",
        "_path",
        "_pending",
        "_unsynced",
        "_writer",
    )

    def __init__(self, path: Path, law: Law, writer: SpoolWriter) -> None:
        """Make the file with its header; OSError, also where it exists."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            wav.write_header(self._descriptor, law)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError:
            os.close(self._descriptor)
            path.unlink(missing_ok=True)
            raise
        self._path = path
        self._writer = writer
        self._lock = threading.Lock()
        # Set by whoever waits until nothing is being written: at the end only, so not every recording has one.
        self._idle: threading.Event | None = None
        self._pending: list[bytes] = []
        self._busy = False
        self._unsynced = 0
        self._named = False
        self._error: OSError | None = None

    @property
    def failed(self) -> bool:
        """A block could not be written, or synced."""
        return self._error is not None

    def append(self, block: bytes) -> None:
        """Hand over the next bytes of the recording."""
        with self._lock:
            self._pending.append(block)
            if self._busy:
                return
            self._busy = True
        self._writer.put(self)

    def write_pending(self) -> None:
        """Write and sync until nothing is left; called by a writer thread."""
        while True:
            with self._lock:
                blocks, self._pending = self._pending, []
                if not blocks:
                    self._busy = False
                    if self._idle is not None:
                        self._idle.set()
                    return
            try:
                self._write(blocks)
            except OSError as error:
                log.error("recording=%s cannot be written: %s", self._path, error.strerror)
                self._error = error

    def finish(self, rest: bytes) -> tuple[float, int]:
        """Write the rest, complete the header, sync, close: seconds of audio, bytes of the file.

        OSError where anything of the recording could not be written; what could be stays.
        """
        with self._lock:
            if self._busy:
                self._idle = threading.Event()
        if self._idle is not None:
            self._idle.wait()
        try:
            if rest and self._error is None:
                _write_all(self._descriptor, [rest])
            outcome = wav.finish(self._descriptor)
        finally:
            os.close(self._descriptor)
        if self._error is not None:
            raise self._error
        return outcome

    def _write(self, blocks: list[bytes]) -> None:
        if self._error is not None:
            return
        _write_all(self._descriptor, blocks)
        self._unsynced += len(blocks)
        if self._unsynced >= BLOCKS_PER_SYNC:
            os.fdatasync(self._descriptor)
            self._unsynced = 0
            if not self._named:
                sync_folder(self._path.parent)
                self._named = True


class SpoolWriter:
    """Threads that write recordings. Any of them takes any file, so a slow disk delays nobody else's."""

    def __init__(self, threads: int = THREADS) -> None:
        self._queue: SimpleQueue[SpoolFile | None] = SimpleQueue()
        self._stopped = False
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, name=f"spool-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Write what has been handed over, then end; blocks until then. What comes later is written at once."""
        with self._lock:
            self._stopped = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def put(self, file: SpoolFile) -> None:
        """There is something to write; never blocks as long as the threads run."""
        with self._lock:
            if not self._stopped:
                self._queue.put(file)
                return
        file.write_pending()

    def _run(self) -> None:
        while (file := self._queue.get()) is not None:
            file.write_pending()


def _write_all(descriptor: int, blocks: list[bytes]) -> None:
    data = b"".join(blocks)
    while data:
        data = data[os.write(descriptor, data) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe: a file that is synced is not yet one that is found again."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
