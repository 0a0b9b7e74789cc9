"""Spoken sentences on disk beside the voice worker: WAVs by a hash of what they say, the longest unused going first."""

from __future__ import annotations

import os
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from voice.media import SAMPLE_RATE
from voice.media.g711 import Law
from voice.prompts import payload_path, prepare_payloads

HEADER = 44
# What was asked for a moment ago may be about to be played.
YOUNG_SECONDS = 60.0
SHRUNK_TO = 0.9
SWEEP_SHARE = 0.05


class SpeechCache:
    """A folder of sounds by name. Safe from any thread, and beside other processes of the same host."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._written = most_bytes
        self._lock = threading.Lock()

    def find(self, name: str) -> Path | None:
        """The sound of a name, which counts as used now; None where it is not here, or broken."""
        path = self._folder / f"{name}.wav"
        try:
            with path.open("rb") as file:
                whole = file.read(4) == b"RIFF" and os.fstat(file.fileno()).st_size > HEADER
            os.utime(path)
        except OSError:
            return None
        return path if whole else None

    def put(self, name: str, pcm16: bytes) -> Path:
        """Keep 16-bit samples at 8 kHz under a name; OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.wav"
        # Others may write the same at this moment; each writes a file of its own.
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as part:
            try:
                with wave.open(part, "wb") as sound:
                    sound.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
                    sound.writeframes(pcm16)
                part.flush()
                os.fsync(part.fileno())
                for law in Law:
                    # Of another file of this name, which was not whole.
                    payload_path(path, law).unlink(missing_ok=True)
                os.replace(part.name, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(part.name)
                raise
        self._note(2 * len(pcm16))
        return path

    def samples(self, path: Path) -> bytes:
        """The 16-bit samples of a sound; OSError, ValueError."""
        try:
            with wave.open(str(path)) as sound:
                return bytes(sound.readframes(sound.getnframes()))
        except (wave.Error, EOFError) as error:
            raise ValueError(str(error)) from None

    def prepared(self, path: Path) -> float:
        """Its seconds, once its payloads lie beside it; OSError, ValueError."""
        prepare_payloads(path)
        return (path.stat().st_size - HEADER) / 2 / SAMPLE_RATE

    def shrink(self) -> None:
        """Remove the longest unused of what is above the limit, and what crashes left behind."""
        families: dict[str, list[tuple[Path, os.stat_result]]] = {}
        for path, facts in self._files():
            families.setdefault(path.stem, []).append((path, facts))
        ages = {stem: _age(family) for stem, family in families.items()}
        used = sum(facts.st_size for family in families.values() for _, facts in family)
        wanted = used if used <= self._most else self._most * SHRUNK_TO
        for stem in sorted(families, key=ages.__getitem__, reverse=True):
            if ages[stem] < YOUNG_SECONDS:
                break
            leftover = not any(path.suffix == ".wav" for path, _ in families[stem])
            if used <= wanted and not leftover:
                continue
            used -= sum(facts.st_size for _, facts in families[stem])
            for path, _ in families[stem]:
                path.unlink(missing_ok=True)

    def _note(self, written: int) -> None:
        """Look at the whole folder each time that a share of the limit was written."""
        with self._lock:
            self._written += written
            if self._written < self._most * SWEEP_SHARE:
                return
            self._written = 0
        self.shrink()

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._folder):
                with suppress(FileNotFoundError):
                    yield Path(entry.path), entry.stat()


def _age(family: list[tuple[Path, os.stat_result]]) -> float:
    """Seconds since a sound was last used: its WAV tells."""
    return time.time() - max(facts.st_mtime for _, facts in family)
