"""What a killed worker leaves of a recording in the menus is removed; what is in use stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

from voice import menu_recordings


def test_only_what_nobody_has_touched_for_an_hour_is_removed(tmp_path: Path) -> None:
    folder = menu_recordings.folder_of(tmp_path)
    menu_recordings.sweep(folder)
    for name in ("left", "used"):
        (folder / name).mkdir(parents=True)
        (folder / name / "recording.wav").write_bytes(b"voice")
    long_ago = time.time() - menu_recordings.LEFT_SECONDS - 1
    for path in (folder / "left" / "recording.wav", folder / "left", folder / "used"):
        os.utime(path, (long_ago, long_ago))
    menu_recordings.sweep(folder)
    assert [path.name for path in folder.iterdir()] == ["used"]
    assert (folder / "used" / "recording.wav").exists()
