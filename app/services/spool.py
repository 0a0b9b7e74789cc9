"""The application's side of the spool: the voice worker writes it, here it is read and emptied."""

from __future__ import annotations

import os
from pathlib import Path

from app.config import Settings


def wav_of(settings: Settings, message_id: str) -> Path:
    """Where a recording lies until its upload is confirmed."""
    return settings.spool_dir / f"{message_id}.wav"


def remove_spool(settings: Settings, message_id: str) -> None:
    """Remove a recording that is safe elsewhere, or gone for good.

    The sidecar goes last: what a kill leaves behind is removed by the reconciler, which goes by sidecars.
    """
    wav_of(settings, message_id).unlink(missing_ok=True)
    (settings.spool_dir / f"{message_id}.json").unlink(missing_ok=True)
    try:
        folder = os.open(settings.spool_dir, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
