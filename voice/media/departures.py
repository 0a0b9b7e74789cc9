"""Packets of many streams on their way out together: numbered by a few array operations, sent in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from voice.media import FRAME_SAMPLES
from voice.media.member import Member, attempt
from voice.media.rtp import HEADER_SIZE, VERSION_BITS
from voice.media.sender import Playback, Sender
from voice.media.submission import BUFFER, WRITE, Submission
from voice.media.table import Columns, Place, Table

HEADER = np.dtype([("version", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")])
SEQUENCE, TIMESTAMP = slice(2, 4), slice(4, 8)
FOR_EVER = 1 << 60
_ONE, _FRAME = np.uint16(1), np.uint32(FRAME_SAMPLES)


class Departure(Place):
    """Where the packets of one sender are numbered. It keeps the audio that is sent from."""

    __slots__ = ("end", "playback", "sender", "stream", "table")

    def __init__(self, table: Departures, stream: Member, sender: Sender, playback: Playback | None) -> None:
        super().__init__()
        self.table, self.stream, self.sender, self.playback = table, stream, sender, playback
        # The sample at which the sender itself takes over: the last packet may be cut off, and is told of.
        self.end = 0 if playback is None else playback.position + FRAME_SAMPLES * (playback.packets - 1)

    @property
    def position(self) -> int:
        """The sample of the playback that is sent next."""
        return self.end - FRAME_SAMPLES * self._told(self._left)

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Sequence and timestamp of the next packet, and how many were sent."""
        return self._told(self._sequence), self._told(self._timestamp), self._told(self._sent)

    def _told(self, value_of: Callable[[int], int]) -> int:
        """Any thread may ask, also while the row is moved and the table grows."""
        while True:
            row = self.row
            value = value_of(row)
            if row == self.row:
                return value

    def _left(self, row: int) -> int:
        return int(self.table.cells["left"][row])

    def _sent(self, row: int) -> int:
        return int(self.table.cells["total"][row]) - self._left(row)

    def _sequence(self, row: int) -> int:
        return int.from_bytes(self._header(row)[SEQUENCE], "big")

    def _timestamp(self, row: int) -> int:
        return int.from_bytes(self._header(row)[TIMESTAMP], "big")

    def _header(self, row: int) -> memoryview:
        return self.table.cells["headers"][row * HEADER_SIZE : (row + 1) * HEADER_SIZE]


class Departures(Table[Departure, "Sent"]):
    """Streams that send 20 ms of silence, or whole packets of what they play, at the same time. For the loop's thread.

    A sender that has departed is numbered here: see Sender. Audio is sent from where it is, and not copied.
    """

    COLUMNS: ClassVar[Columns] = {
        # How many packets there are, how many will have been sent by then, and how far the audio of each is from that
        # of the one before.
        "left": (np.int64, ()),
        "total": (np.int64, ()),
        "step": (np.uint64, ()),
        # Of the next packet.
        "headers": (HEADER, ()),
        "buffers": (BUFFER, (2,)),
    }
    left: NDArray[np.int64]
    total: NDArray[np.int64]
    step: NDArray[np.uint64]
    headers: NDArray[np.void]
    buffers: NDArray[np.void]

    def __init__(self, submission: Submission, on_broken: Callable[[Member], None]) -> None:
        """on_broken: called where a stream has failed."""
        super().__init__()
        self._submission = submission
        self._on_broken = on_broken
        # Of no stream are fewer packets left than this.
        self._soonest = FOR_EVER

    def join(self, stream: Member, sender: Sender) -> bool:
        """Send for this stream from now on; False where that is too little."""
        playback = sender.playback
        if playback is not None and playback.done:
            playback = None
        packets = FOR_EVER if playback is None else playback.packets - 1
        if packets <= 0:
            return False
        place = Departure(self, stream, sender, playback)
        self.add(place)
        row = place.row
        self.headers[row] = VERSION_BITS, sender.payload_type, sender.sequence, sender.timestamp, sender.ssrc
        self.left[row], self.total[row] = packets, packets + sender.sent
        self.step[row] = 0 if playback is None else FRAME_SAMPLES
        audio = _address(sender.silence) if playback is None else _address(playback.payload) + playback.position
        self.buffers[row, 1] = audio, FRAME_SAMPLES
        request = self.requests[row, 0]
        request["operation"], request["descriptor"], request["count"] = WRITE, stream.fileno(), 2
        self._soonest = min(self._soonest, packets)
        sender.departure = place
        return True

    def leave(self, sender: Sender) -> None:
        """The sender sends for itself again."""
        place = sender.departure
        if isinstance(place, Departure):
            sender.arrive()
            self.remove(place)

    def lay_out(self, place: Departure) -> None:
        """Where its header is, and its two buffers."""
        row = place.row
        self.buffers[row, 0] = self.headers.ctypes.data + row * HEADER_SIZE, HEADER_SIZE
        request = self.requests[row, 0]
        request["buffers"], request["data"] = self.buffers.ctypes.data + row * 2 * BUFFER.itemsize, row

    def slices(self, rows: slice) -> Sent:
        return Sent(self, rows)

    def send(self) -> None:
        """Send a packet of each stream; OSError where that could not be done."""
        if not self.places:
            return
        rows = self.whole()
        try:
            results = self._submission.run(*rows.requests)
            if results.min() < 0:
                rows.total -= results < 0
        except OSError:
            rows.total -= 1
            raise
        finally:
            # Where it failed some have been sent: no number stands for two packets.
            rows.sequence += _ONE
            rows.timestamp += _FRAME
            rows.audio += rows.step
            rows.left -= 1
            self._soonest -= 1
        if self._soonest <= 0:
            self._let_go()

    def _let_go(self) -> None:
        """Of whom nothing is left sends the next packet by himself."""
        ending = [self.places[row] for row in np.flatnonzero(self.left[: len(self.places)] <= 0).tolist()]
        for place in ending:
            attempt(place.stream, "sending", place.stream.send_apart, self._on_broken)
        self._soonest = int(self.left[: len(self.places)].min(initial=FOR_EVER))


class Sent:
    """What changes with each packet, of some rows."""

    __slots__ = ("audio", "left", "requests", "sequence", "step", "timestamp", "total")

    def __init__(self, table: Departures, rows: slice) -> None:
        self.sequence, self.timestamp = table.headers["sequence"][rows], table.headers["timestamp"][rows]
        self.left, self.total, self.step = table.left[rows], table.total[rows], table.step[rows]
        self.audio = table.buffers["address"][rows, 1]
        self.requests = table.requests_of(rows)


def _address(payload: bytes) -> int:
    return np.frombuffer(payload, np.uint8).ctypes.data
