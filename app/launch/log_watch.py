"""Shows on the terminal what goes wrong in the processes, from their logs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# Our own lines (time, level, ...) and gunicorn's ([time] [pid] [LEVEL] ...).
ERROR_LINE = re.compile(r"^(?:\S+ (?:ERROR|CRITICAL) (?:\S+ )?|\[[^]]*\] \[\d+\] \[(?:ERROR|CRITICAL)\] )(?P<text>.*)$")
ENDED = re.compile(r"exited: (?P<name>\S+) \((?P<how>[^)]*); not expected\)")
READ_BYTES = 65536
# What fails again and again is told again after this long.
REPEAT_SECONDS = 60.0


@dataclass
class Follower:
    """What is appended to a file, in whole lines, across its rotation."""

    path: Path
    position: int = 0
    inode: int = 0
    rest: bytes = field(default=b"")

    @classmethod
    def from_end(cls, path: Path) -> Follower:
        """Follow from what stands in the file now."""
        if not path.exists():
            return cls(path)
        status = path.stat()
        return cls(path, status.st_size, status.st_ino)

    def lines(self) -> list[str]:
        """Lines that were completed since the last call."""
        try:
            with self.path.open("rb") as file:
                status = self.path.stat()
                if status.st_ino != self.inode or status.st_size < self.position:
                    self.position, self.inode, self.rest = 0, status.st_ino, b""
                file.seek(self.position)
                data = file.read(READ_BYTES)
        except FileNotFoundError:
            return []
        self.position += len(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]


class LogWatch:
    """Follows the logs of the named processes and of supervisor."""

    def __init__(self, folder: Path, names: list[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._told: dict[str, float] = {}
        self._followers = {name: Follower.from_end(folder / f"{name}.log") for name in names}
        self._supervisor = Follower.from_end(folder / "supervisor.log")
        self._last: dict[str, str] = {}

    def news(self) -> list[str]:
        """Lines for the terminal: errors, each with the name of its process, and processes that ended.

        A line that differs from an earlier one in numbers alone is left out for a minute.
        """
        now = self._clock()
        fresh = []
        for line in self._found():
            kind = re.sub(r"\d+", "#", line)
            if now - self._told.get(kind, -REPEAT_SECONDS) >= REPEAT_SECONDS:
                self._told[kind] = now
                fresh.append(line)
        return fresh

    def _found(self) -> list[str]:
        found: list[str] = []
        for name, follower in self._followers.items():
            for line in follower.lines():
                if line.strip():
                    self._last[name] = line.strip()
                if match := ERROR_LINE.match(line):
                    found.append(f"{name}: {printable(match['text'])}")
        ended = (ENDED.search(line) for line in self._supervisor.lines())
        return [*found, *(self._ended(match["name"], match["how"]) for match in ended if match)]

    def _ended(self, name: str, how: str) -> str:
        last = f" Its last words: {printable(self._last[name])}" if name in self._last else ""
        return f"{name}: ended ({how}) and is started again; see {self._folder / name}.log.{last}"


def printable(text: str) -> str:
    """Text from a log, unable to steer the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)[:500]
