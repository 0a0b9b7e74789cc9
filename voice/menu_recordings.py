"""Where owners record in the menus, and what a worker that was killed has left there."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

log = logging.getLogger(__name__)
# No call is in the middle of one for so long.
LEFT_SECONDS = 3600.0


def folder_of(instance: Path) -> Path:
    """The folder in which each recording has a folder of its own as long as it is in use."""
    return instance / "voice" / "menus"


def sweep(folder: Path) -> None:
    """Remove what nobody has touched for an hour: it holds somebody's voice."""
    for place in folder.iterdir() if folder.is_dir() else ():
        try:
            touched = max(path.stat().st_mtime for path in (place, *place.glob("*")))
            if time.time() - touched >= LEFT_SECONDS:
                shutil.rmtree(place)
                log.warning("a recording of the menus was left behind by a worker that was killed, it is removed")
        except OSError as error:
            # The call that made it has just removed it, or it cannot be removed now.
            log.info("%s stays for now: %s", place, error)
