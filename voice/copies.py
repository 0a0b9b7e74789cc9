"""A copy of a message for another mailbox: a take of its own in the spool, without a call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voice import spool
from voice.errors import SpoolError
from voice.media import wav


def is_safe(folder: Path, take_id: str) -> bool:
    """Whether the copy is complete in the spool: it becomes a message whatever happens."""
    try:
        return spool.read(folder, take_id).state == spool.COMPLETE
    except SpoolError:
        return False


@contextmanager
def own_copy(folder: Path, take_id: str, audio: Path, **facts: Any) -> Iterator[spool.SpoolEntry | None]:
    """Own the take that will hold this audio while the block runs; None where it is safe, or another owns it.

    facts: of the sidecar (voice/spool.py). SpoolError, OSError.
    """
    with audio.open("rb") as file:
        law = wav.law_of(file.read(wav.HEADER_SIZE))
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    sidecar = spool.Sidecar(id=take_id, started_at=started_at, law=law.name.lower(), **facts)
    entry = spool.SpoolEntry.begin_once(folder, sidecar)
    if entry is not None:
        with closing(entry):
            yield entry
        return
    with spool.adopted(folder, take_id) as left:
        # A kill broke it off: here it goes on.
        yield left if left is not None and left.sidecar.state != spool.COMPLETE else None


def fill_copy(entry: spool.SpoolEntry, audio: Path, *, duration: float, size: int, sha256: str) -> None:
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
            urgent=entry.sidecar.urgent,
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
