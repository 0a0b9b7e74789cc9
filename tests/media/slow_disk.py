"""A disk that does not answer, for the files one names."""

from __future__ import annotations

import os
import threading

import pytest

from voice.media.writer import SpoolFile


class SlowDisk:
    """Writes to the files that are stuck wait until go is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting = 0
        self.go = threading.Event()
        self._stuck: set[int] = set()
        self._write = os.write
        monkeypatch.setattr("voice.media.writer.os.write", self.write)

    def hold(self, file: SpoolFile) -> None:
        """Let no write to this file through."""
        self._stuck.add(file._descriptor)

    def write(self, descriptor: int, data: bytes) -> int:
        if descriptor in self._stuck:
            self.waiting += 1
            assert self.go.wait(30)
        return self._write(descriptor, data)
