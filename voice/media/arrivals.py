"""Packets of many streams on their way in together: read in one call, and kept where they were read to."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from voice.media import FRAME_SAMPLES
from voice.media.alike import DATAGRAM_BYTES
from voice.media.member import Member
from voice.media.receiver import TOGETHER, Receiver
from voice.media.rows import Numbers, Rows
from voice.media.rtp import HEADER_SIZE
from voice.media.submission import BUFFER, READ, REQUEST, Submission, addresses, request

log = logging.getLogger(__name__)
PACKET = HEADER_SIZE + FRAME_SAMPLES


class Arrivals:
    """Streams whose peers send packets of 20 ms that look alike. For the loop's thread.

    What looks like one more packet of audio waits here, as it would with the receiver: see Receiver.take(). All else
    is given to the stream at once.
    """

    def __init__(self, submission: Submission, most: int, turns: int, on_broken: Callable[[Member], None]) -> None:
        """most: streams. on_broken: called where a stream has failed."""
        self._submission = submission
        self._on_broken = on_broken
        self._rows: Rows[Member] = Rows(most, turns)
        self._requests = np.zeros(most, REQUEST)
        self._buffers = np.zeros((most, 2), BUFFER)
        # Memory of the system is taken by what is used of these, so they may be large.
        self.packets = np.zeros((most, TOGETHER, PACKET), np.uint8)
        self._rest = np.zeros((most, DATAGRAM_BYTES - PACKET), np.uint8)
        self.times = np.zeros((most, TOGETHER), np.float64)
        self.count = np.zeros(most, np.intp)
        self.due = np.zeros(most, np.intp)
        self._second = np.zeros(most, np.uint8)
        # Whose row is somebody's, and which of them had a datagram the last time.
        self._taken = np.zeros(most, np.bool_)
        self._came = np.zeros(most, np.bool_)

    def join(self, turn: int, stream: Member, receiver: Receiver) -> bool:
        """Read for this stream from now on, in this turn; False where there is no room, or no packet to be like."""
        second = receiver.second_of(PACKET)
        if second is None or (row := self._rows.take(turn, stream)) is None:
            return False
        receiver.settle()
        self._second[row] = second
        self._buffers[row, 0] = 0, PACKET
        self._buffers[row, 1] = self._rest[row].ctypes.data, self._rest.shape[1]
        self._requests[row] = request(READ, stream.fileno(), self._buffers[row].ctypes.data, 2, row)
        self._taken[row], self._came[row] = True, False
        self.empty(row)
        receiver.wait_at(Waiting(self, turn, row, second))
        return True

    def leave(self, receiver: Receiver) -> None:
        """The receiver keeps what waits for itself again. Harmless where it does."""
        waiting = receiver.waits_at
        if isinstance(waiting, Waiting):
            receiver.settle()
            receiver.wait_at(None)
            self._taken[waiting.row] = False
            self._rows.give_back(waiting.turn, waiting.row)

    def streams(self) -> list[Member]:
        """All of them."""
        return self._rows.owners()

    def empty(self, row: int) -> None:
        """Nothing waits there any more."""
        self.count[row] = 0
        self._buffers["address"][row, 0] = self.packets[row].ctypes.data

    def receive(self, turn: int, now: float, rounds: int) -> None:
        """Read a datagram of each stream of this turn, and some more of those who have had one the last time too.

        rounds: so many at most. A turn comes twice in 20 ms, so whoever has one each time is behind. OSError: see
        Submission.
        """
        rows = self._rows.of(turn)
        came = self._receive(rows, now)
        behind = came[self._came[came]]
        self._came[rows] = False
        self._came[came] = True
        for _ in range(rounds - 1):
            behind = self._receive(behind[self._taken[behind]], now)
            if not len(behind):
                return

    def _receive(self, rows: Numbers, now: float) -> Numbers:
        """Read a datagram of each of these; who had one."""
        outcomes = self._submission.run(addresses(self._requests, rows))
        outcomes = outcomes[outcomes["result"] >= 0]
        came = rows = outcomes["data"].astype(np.intp)
        if not len(rows):
            return came
        sizes, at = outcomes["result"], self.count[rows]
        alike = (sizes == PACKET) & (self.packets[rows, at, 1] == self._second[rows])
        if not alike.all():
            for row, size in zip(rows[~alike].tolist(), sizes[~alike].tolist(), strict=True):
                self._tell(row, self._datagram(row, size), now)
            rows, at = rows[alike], at[alike]
        self.times[rows, at] = now
        at += 1
        self.count[rows] = at
        self._buffers["address"][rows, 0] += np.uint64(PACKET)
        for row in rows[at >= self.due[rows]].tolist():
            self._tell(row, None, now)
        return came

    def _datagram(self, row: int, size: int) -> bytes:
        """What was read last, of so many bytes."""
        start, rest = self.packets[row, self.count[row]], self._rest[row]
        return bytes(start[:size]) + bytes(rest[: max(0, size - PACKET)])

    def _tell(self, row: int, datagram: bytes | None, now: float) -> None:
        """Give the stream a datagram; None: it is to look at what waits."""
        stream = self._rows.owner(row)
        try:
            if datagram is None:
                stream.settle()
            else:
                stream.take_apart(datagram, now)
        except Exception:
            log.exception("call=%s media failed while receiving", stream.name)
            self._on_broken(stream)


class Waiting:
    """Where the packets of one receiver wait. second: the second byte of each."""

    __slots__ = ("_arrivals", "row", "second", "turn")

    def __init__(self, arrivals: Arrivals, turn: int, row: int, second: int) -> None:
        self._arrivals, self.turn, self.row, self.second = arrivals, turn, row, second

    @property
    def count(self) -> int:
        """How many."""
        return int(self._arrivals.count[self.row])

    def be_due(self, count: int) -> None:
        """Tell the stream when so many wait."""
        self._arrivals.due[self.row] = count

    def take(self) -> tuple[bytearray, list[float]]:
        """What waits, and when it came; nothing does any more."""
        table, row, count = self._arrivals, self.row, self.count
        packets, times = bytearray(table.packets[row, :count]), table.times[row, :count].tolist()
        table.empty(row)
        return packets, times
