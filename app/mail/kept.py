"""The connection to the mail server that a process keeps between mails: to greet and part costs more than a mail.

It is closed after a pause, after so many mails, when the settings are others, and when anything went wrong on it.
"""

from __future__ import annotations

import functools
import os
import threading
from contextlib import ExitStack

from app.alarms import Alarms
from app.config import Settings
from app.delivery.errors import PermanentError, TemporaryError
from app.mail.connection import Connection, connect
from app.mail.letter import Letter

# Servers close what is idle after a minute at the soonest, and some take a hundred mails a connection.
IDLE_SECONDS = 10.0
MOST_MAILS = 50
_idle = Alarms("idle mail connections")


class _Kept:
    """A connection of this process, entered; use post() and close()."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.process = _part_of(settings), os.getpid()
        self._rest = ExitStack()
        self.connection: Connection = connect(settings).__enter__()

    def fits(self, settings: Settings) -> bool:
        """Whether it may carry another mail under these settings."""
        young = self.connection.num_emails < MOST_MAILS
        return young and self.settings == _part_of(settings) and self.connection.quiet()

    def rest(self) -> None:
        """Nobody uses it from now on; it is closed where nobody wants it soon."""
        self._rest.enter_context(_idle.after(IDLE_SECONDS, functools.partial(_place.part, self)))

    def wake(self) -> None:
        """It is used again."""
        self._rest.close()

    def close(self) -> None:
        """Say goodbye."""
        self.connection.part()


class _Place:
    """Room for one connection that rests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: _Kept | None = None

    def put(self, kept: _Kept) -> None:
        """Let it rest here; what was here goes."""
        kept.rest()
        with self._lock:
            before = self._kept
            self._kept = kept
        if before is not None:
            before.wake()
            before.close()

    def take(self) -> _Kept | None:
        """What rests here; nothing of what another process has opened, which goes on there."""
        with self._lock:
            kept = self._kept
            self._kept = None
        if kept is None or kept.process != os.getpid():
            return None
        kept.wake()
        return kept

    def part(self, kept: _Kept) -> None:
        """It has rested for too long."""
        with self._lock:
            if self._kept is not kept:
                return
            self._kept = None
        kept.wake()
        kept.close()


_place = _Place()


def post(letter: Letter, settings: Settings) -> str:
    """Send a letter; what the server said when it took it. TemporaryError, PermanentError, MailTooLarge."""
    kept = _place.take()
    if kept is not None and kept.fits(settings):
        try:
            return _post(kept, letter)
        except TemporaryError:
            # It ended before the mail was offered, perhaps since it was kept: a new one may do.
            if not kept.connection.ended or kept.connection.offered:
                raise
    elif kept is not None:
        kept.close()
    return _post(_Kept(settings), letter)


def _post(kept: _Kept, letter: Letter) -> str:
    """Send a letter; afterwards the connection rests, or is closed where it may have come to harm."""
    try:
        said = kept.connection.post(letter)
    except PermanentError:
        # A word about this mail. The connection stands at the beginning again.
        _place.put(kept)
        raise
    except BaseException:
        kept.close()
        raise
    _place.put(kept)
    return said


def _part_of(settings: Settings) -> tuple[object, ...]:
    """The settings that a connection is made of."""
    return settings.smtp, settings.host_name
