"""A caller who records his message anew: the new recording takes the old one's place, at one moment.

A kill at any line leaves exactly one of both. The new recording grows beside the old one, and the sidecar is still that
of the old one. When it is whole and on disk, the sidecar is replaced by one that has its length and says `again`: from
then on the recording beside is the take, and whoever adopts it moves it into place. Once that is done, the sidecar says
`again` no more; a recording beside such a sidecar is an attempt that was broken off, and counts for nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from voice.media.writer import sync_folder


def path_of(recording: Path) -> Path:
    """Where the new recording grows."""
    return recording.with_suffix(".again.wav")


def settle(recording: Path) -> None:
    """Move the new recording into place, on disk when this returns; nothing happens where that was done. OSError."""
    with suppress(FileNotFoundError):
        os.replace(path_of(recording), recording)
    sync_folder(recording.parent)


def forget(recording: Path) -> None:
    """Remove an attempt that counts for nothing; OSError."""
    path_of(recording).unlink(missing_ok=True)
