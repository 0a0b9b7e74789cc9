"""The spool's disk, which can be filled: a small one of its own, or else a limit on the size of files."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

DISK_BYTES = 16 * 1024 * 1024
FILE_BYTES = 4096
FULL = "full"


class Disk:
    """writers: tells the process ids of those that write into the spool, for where nothing can be mounted."""

    name = "disk"

    def __init__(self, folder: Path, writers: Callable[[], Iterable[int]]) -> None:
        folder.mkdir()
        self.folder, self._writers = folder, writers
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
        self.small = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def go_wrong(self, how: str) -> None:
        """No room from now on."""
        if not self.small:
            self._limit(FILE_BYTES)
            return
        with suppress(OSError), (self.folder / "filler").open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass

    def recover(self, how: str) -> None:
        """Room again."""
        if self.small:
            (self.folder / "filler").unlink(missing_ok=True)
        else:
            self._limit(resource.RLIM_INFINITY)

    def close(self) -> None:
        """Give the disk back."""
        if self.small:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)

    def _limit(self, size: int) -> None:
        for pid in self._writers():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
