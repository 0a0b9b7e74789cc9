"""A copy of a message for another mailbox: a take of its own in the spool, without a call."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from voice import spool
from voice.media import wav


def begin_copy(folder: Path, audio: Path, **facts: str) -> spool.SpoolEntry:
    """Own a new take that will hold this audio; SpoolError, OSError. facts: of the sidecar (voice/spool.py)."""
    with audio.open("rb") as file:
        law = wav.law_of(file.read(wav.HEADER_SIZE))
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return spool.SpoolEntry.begin(folder, started_at=started_at, law=law.name.lower(), **facts)


def fill_copy(entry: spool.SpoolEntry, audio: Path, *, duration: float, size: int, sha256: str, urgent: bool) -> None:
    """Put the audio into the take and make it safe; where that fails the take is gone. SpoolError, OSError."""
    part = entry.wav.with_suffix(".wav.part")
    try:
        # A kill in the middle of the copy leaves a take without audio, which the reconciler drops.
        shutil.copyfile(audio, part)
        _sync(part)
        os.replace(part, entry.wav)
        entry.finish(
            spool.COMPLETE,
            duration=duration,
            speech=0.0,
            size=size,
            ended_by="forwarded",
            sha256=sha256,
            urgent=urgent,
        )
    except BaseException:
        part.unlink(missing_ok=True)
        entry.drop()
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
