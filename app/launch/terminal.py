"""What `make run` says to the person in front of it; silent once the terminal is gone."""

from __future__ import annotations

import os
import sys
from pathlib import Path


class Terminal:
    """Lines to standard output, trouble to standard error."""

    def say(self, text: str = "") -> None:
        """One or more lines, shown at once."""
        self._write("stdout", text)

    def complain(self, text: str) -> None:
        """A line about something that is wrong."""
        self._write("stderr", text)

    def _write(self, stream: str, text: str) -> None:
        try:
            getattr(sys, stream).write(f"{text}\n")
            getattr(sys, stream).flush()
        except OSError:
            # The terminal was closed or the pipe's reader left; stopping in order matters more than words.
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open until the end
