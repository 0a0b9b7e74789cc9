"""What streams of a loop do together with one another: send, and read (docs/adr/0015-together.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import chain

from voice.media.arrivals import Arrivals, Waiting
from voice.media.departures import Departure, Departures
from voice.media.member import Member, attempt
from voice.media.receiver import Receiver
from voice.media.sender import Sender
from voice.media.submission import Submission

log = logging.getLogger(__name__)
MOST_STREAMS = 400
"""Of a table; others send and read by themselves. A core carries fewer."""
SELDOM = 4
"""Rounds of 20 ms between two visits of who need not be visited often."""
FILLED = 100
"""Of a table that is read seldom: from there on the next one is filled."""
READS_OFTEN, READS_SELDOM = 3, SELDOM + 2
"""Datagrams that are read at a visit: two more than come meanwhile on a steady line. Who has all of them is visited
again at once (voice.media.arrivals)."""
MOST_REQUESTS = MOST_STREAMS * READS_SELDOM


class Together:
    """The tables of a loop's streams, by slots and by rounds of all slots. For the loop's thread."""

    @classmethod
    def of(cls, slots: int, on_broken: Callable[[Member], None]) -> Together | None:
        """None where the system cannot do it; then each stream sends and reads by itself, at the same times."""
        try:
            return cls(slots, on_broken)
        except OSError as error:
            log.info("packets are sent and read one by one, which costs more: %s", error.strerror)
            return None

    def __init__(self, slots: int, on_broken: Callable[[Member], None]) -> None:
        """OSError where the system cannot do it."""
        self._on_broken = on_broken
        self._lacks_memory = False
        submission = self._submission = Submission(MOST_REQUESTS)
        self._departures = [Departures(submission, on_broken) for _ in range(slots)]
        self._often = [Arrivals(submission, READS_OFTEN, on_broken) for _ in range(slots)]
        self._seldom = [[Arrivals(submission, READS_SELDOM, on_broken) for _ in range(SELDOM)] for _ in range(slots)]

    def send_for(self, stream: Member, sender: Sender, slot: int) -> bool:
        """Send for it, in this slot, from now on; False where it must do so itself."""
        table = self._departures[slot]
        return len(table.places) < MOST_STREAMS and self._if_there_is_memory(lambda: table.join(stream, sender))

    def read_for(self, stream: Member, receiver: Receiver, slot: int, seldom: bool) -> bool:
        """Read for it from now on, in this slot; False where it must do so itself."""
        table = self._seldom_table(slot) if seldom else self._often[slot]
        if len(table.places) >= MOST_STREAMS:
            return False
        # Not within: what a sink raises is no lack of memory.
        receiver.settle()
        return self._if_there_is_memory(lambda: table.join(stream, receiver))

    def _seldom_table(self, slot: int) -> Arrivals:
        """The first that is not filled: to visit few costs as much as to visit many. The emptiest where all are."""
        tables = self._seldom[slot]
        free = (table for table in tables if len(table.places) < FILLED)
        return next(free, None) or min(tables, key=lambda table: len(table.places))

    @staticmethod
    def leave(sender: Sender | None, receiver: Receiver | None) -> None:
        """Send or read for them no more. Harmless where that is so."""
        if sender is not None and isinstance(sender.departure, Departure):
            sender.departure.table.leave(sender)
        if receiver is not None and isinstance(receiver.waits_at, Waiting):
            receiver.waits_at.table.leave(receiver)

    def send(self, slot: int) -> None:
        """Send for all of this slot; OSError where that could not be done."""
        self._departures[slot].send()

    def read(self, slot: int, round_: int, now: float) -> None:
        """Read for all of this slot whose turn it is in this round; OSError where that could not be done."""
        self._often[slot].visit(now)
        self._seldom[slot][round_ % SELDOM].visit(now)

    def disband(self) -> None:
        """Let all of them go their ways, and end."""
        arrivals = chain(self._often, *self._seldom)
        streams = {place.stream for table in self._departures for place in table.places}
        for stream in streams | {place.stream for table in arrivals for place in table.places}:
            attempt(stream, "receiving", stream.go_apart, self._on_broken)
        self._submission.close()

    def _if_there_is_memory(self, join: Callable[[], bool]) -> bool:
        try:
            return join()
        except (OSError, MemoryError) as error:
            # Told once: each packet of such a call tries anew.
            if not self._lacks_memory:
                self._lacks_memory = True
                log.error("some calls send and read by themselves: %s", error)
            return False
