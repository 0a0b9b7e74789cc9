"""What streams of a loop do together with one another: send, and read (ADR 0015)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from voice.media.arrivals import Arrivals
from voice.media.departures import Departures
from voice.media.member import Member
from voice.media.submission import Submission

log = logging.getLogger(__name__)
MOST_STREAMS = 2048
"""More than a core carries; others send and read by themselves."""


class Together:
    """Departures of each slot and arrivals of each turn. For the loop's thread."""

    @classmethod
    def of(cls, slots: int, turns: int, on_broken: Callable[[Member], None]) -> Together | None:
        """None where the system cannot do it; then each stream sends and reads by itself, at the same times."""
        try:
            return cls(slots, turns, on_broken)
        except OSError as error:
            log.info("packets are sent and read one by one, which costs more: %s", error.strerror)
            return None

    def __init__(self, slots: int, turns: int, on_broken: Callable[[Member], None]) -> None:
        """OSError where the system cannot do it."""
        self._submission = Submission(MOST_STREAMS)
        self.departures = Departures(self._submission, MOST_STREAMS, slots, on_broken)
        self.arrivals = Arrivals(self._submission, MOST_STREAMS, turns, on_broken)

    def disband(self) -> None:
        """Let all of them go their ways."""
        for stream in {*self.departures.streams(), *self.arrivals.streams()}:
            stream.go_apart()

    def close(self) -> None:
        self._submission.close()
