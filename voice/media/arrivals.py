"""Packets of many streams on their way in together: read in one call, looked at by a few array operations."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from voice.media import FRAME_SAMPLES, FRAME_SECONDS
from voice.media.alike import DATAGRAM_BYTES
from voice.media.member import Member
from voice.media.receiver import TOGETHER, Receiver
from voice.media.rtp import HEADER_SIZE, VERSION_BITS
from voice.media.submission import BUFFER, READ, Submission
from voice.media.table import Columns, Place, Table

log = logging.getLogger(__name__)
HEADER = np.dtype([("start", ">u2"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")])
PACKET = HEADER_SIZE + FRAME_SAMPLES
REST = DATAGRAM_BYTES - PACKET
IMPOSSIBLE = 1 << 16
"""What no two bytes are."""
MORE_VISITS = 3
"""Of those who had as many datagrams as were read, as after a delay."""
HEADER_PART, AUDIO_PART, REST_PART = range(3)


class Waiting(Place):
    """Where the packets of one receiver wait: their audio, one behind the other."""

    __slots__ = ("_audio", "audio_at", "stream", "table")

    def __init__(self, table: Arrivals, stream: Member) -> None:
        super().__init__()
        self.table, self.stream = table, stream
        # A visit brings some more than may wait.
        self._audio = np.empty((TOGETHER + table.reads) * FRAME_SAMPLES, np.uint8)
        self.audio_at = self._audio.ctypes.data

    @property
    def count(self) -> int:
        """How many wait."""
        return int(self.table.count[self.row])

    @property
    def heard_at(self) -> float:
        """When the last one came that did."""
        return float(self.table.heard_at[self.row])

    def expect(self, due: int, second: int, sequence: int, timestamp: int | None, ssrc: int) -> None:
        """See voice.media.receiver."""
        table, row = self.table, self.row
        table.due[row] = due
        possible = sequence >= 0 and (timestamp is None or timestamp >= 0)
        table.start[row] = VERSION_BITS << 8 | second if possible else IMPOSSIBLE
        table.sequence[row], table.ssrc[row] = sequence & 0xFFFF, ssrc & 0xFFFFFFFF
        table.timestamp[row], table.mask[row] = (0, 0) if timestamp is None else (timestamp & 0xFFFFFFFF, 0xFFFFFFFF)

    def take(self, wanted: bool) -> tuple[bytes, int]:
        """The audio of those that wait, none where it is not wanted, and how many they are; none waits any more."""
        count = self.count
        audio = self._audio[: count * FRAME_SAMPLES].tobytes() if wanted else b""
        self.table.empty(self)
        return audio, count

    def datagrams(self, sizes: list[int], taken: int) -> list[bytes]:
        """What the last visit has brought behind the packets that were taken. sizes: of all its reads."""
        table, row, before = self.table, self.row, self.count - taken
        found = []
        for read in range(taken, len(sizes)):
            if sizes[read] >= 0:
                start = (before + read) * FRAME_SAMPLES
                audio = self._audio[start : start + FRAME_SAMPLES]
                whole = table.headers[row, read].tobytes() + audio.tobytes() + table.rest[row, read].tobytes()
                found.append(whole[: sizes[read]])
        return found


class Arrivals(Table[Waiting]):
    """Streams that are visited at the same times, and whose peers send packets of 20 ms. For the loop's thread.

    Of each as many datagrams are read as there may be. Those that are the next packets of audio wait here, as they
    would with the receiver (Receiver.take); all else is given to the stream at once, in its turn.
    """

    COLUMNS: ClassVar[Columns] = {
        "count": (np.intp, ()),
        "due": (np.intp, ()),
        "heard_at": (np.float64, ()),
        # The next packet: its first two bytes, sequence and timestamp, which of its bits count, and SSRC.
        "start": (np.uint32, ()),
        "sequence": (np.uint16, ()),
        "timestamp": (np.uint32, ()),
        "mask": (np.uint32, ()),
        "ssrc": (np.uint32, ()),
    }
    count: NDArray[np.intp]
    due: NDArray[np.intp]
    heard_at: NDArray[np.float64]
    start: NDArray[np.uint32]
    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    mask: NDArray[np.uint32]
    ssrc: NDArray[np.uint32]

    def __init__(self, submission: Submission, reads: int, on_broken: Callable[[Member], None]) -> None:
        """reads: of each stream at a visit. on_broken: called where a stream has failed."""
        self.reads = reads
        self._submission = submission
        self._on_broken = on_broken
        self._steps = np.arange(reads, dtype=np.uint16)
        self._samples = np.arange(reads, dtype=np.uint32) * np.uint32(FRAME_SAMPLES)
        self._steps_of_audio = self._samples.astype(np.uint64)
        super().__init__(reads)

    def join(self, stream: Member, receiver: Receiver) -> bool:
        """Read for this stream from now on; False where its peer sends other packets."""
        if receiver.size != PACKET:
            return False
        receiver.settle()
        place = Waiting(self, stream)
        self.add(place)
        requests = self.requests[place.row]
        requests["operation"], requests["descriptor"], requests["count"] = READ, stream.fileno(), 3
        self.empty(place)
        receiver.wait_at(place)
        return True

    def leave(self, receiver: Receiver) -> None:
        """The receiver has what waits, and is to be given all that comes."""
        place = receiver.waits_at
        if isinstance(place, Waiting):
            try:
                receiver.settle()
            finally:
                receiver.wait_at(None)
                self.remove(place)

    def empty(self, place: Waiting) -> None:
        """Nothing waits there any more."""
        self.count[place.row] = 0
        self.buffers["address"][place.row, :, AUDIO_PART] = self._steps_of_audio + np.uint64(place.audio_at)

    def lay_out(self, place: Waiting) -> None:
        """Where each read goes: the header here, the audio behind what waits, and what is too long here again."""
        row, reads = place.row, self.reads
        buffers, numbers = self.buffers[row], np.arange(row * reads, (row + 1) * reads, dtype=np.uint64)
        buffers["address"][:, HEADER_PART] = self.headers.ctypes.data + numbers * np.uint64(HEADER_SIZE)
        buffers["address"][:, REST_PART] = self.rest.ctypes.data + numbers * np.uint64(REST)
        waiting = FRAME_SAMPLES * int(self.count[row])
        buffers["address"][:, AUDIO_PART] = self._steps_of_audio + np.uint64(place.audio_at + waiting)
        buffers["size"] = HEADER_SIZE, FRAME_SAMPLES, REST
        requests = self.requests[row]
        requests["buffers"] = self.buffers.ctypes.data + numbers * np.uint64(3 * BUFFER.itemsize)
        requests["data"] = numbers

    def _grow(self, rows: int) -> None:
        # What they hold is over with each visit.
        self.buffers = np.zeros((rows, self.reads, 3), BUFFER)
        self.headers = np.zeros((rows, self.reads), HEADER)
        # Large and hardly ever written to: of such a map the system gives memory only where it is.
        self.rest = np.frombuffer(mmap.mmap(-1, rows * self.reads * REST), np.uint8).reshape(rows, self.reads, REST)
        super()._grow(rows)

    def visit(self, now: float) -> None:
        """Read what has come; OSError where that could not be done."""
        behind = self._read(slice(0, len(self.places)), now)
        for _ in range(MORE_VISITS):
            for place in tuple(behind):
                if place.row < 0 or not self._read(slice(place.row, place.row + 1), now):
                    behind.remove(place)

    def _read(self, rows: slice, now: float) -> list[Waiting]:
        """Read what has come for these; who may have more of it."""
        if rows.start == rows.stop:
            return []
        sizes = self._submission.run(*self.requests_of(rows)).reshape(-1, self.reads)
        taken = self._follow(rows, sizes)
        self.heard_at[rows][taken > 0] = now
        came = sizes >= 0
        others = came.sum(axis=1) > taken
        # All of it is looked up first: rows change when streams go.
        behind = self._places(rows, came[:, -1])
        due = self._places(rows, (self.count[rows] >= self.due[rows]) & ~others)
        strange = [
            (place, place.datagrams(sizes[place.row - rows.start].tolist(), int(taken[place.row - rows.start])))
            for place in self._places(rows, others)
        ]
        for place in due:
            self._tell(place.stream, [], now)
        for place, datagrams in strange:
            self._tell(place.stream, datagrams, now)
        return behind

    def _places(self, rows: slice, which: NDArray[np.bool_]) -> list[Waiting]:
        return [self.places[rows.start + row] for row in which.nonzero()[0].tolist()]

    def _follow(self, rows: slice, sizes: NDArray[np.int64]) -> NDArray[np.intp]:
        """Keep what follows the packets before it: how many packets of each row."""
        headers = self.headers[rows]
        follows = sizes == PACKET
        follows &= headers["start"] == self.start[rows, None]
        follows &= headers["sequence"] == self.sequence[rows, None] + self._steps
        steps = headers["timestamp"] - self.timestamp[rows, None] - self._samples
        follows &= (steps & self.mask[rows, None]) == 0
        follows &= headers["ssrc"] == self.ssrc[rows, None]
        taken: NDArray[np.intp] = np.logical_and.accumulate(follows, axis=1).sum(axis=1)
        samples = taken * FRAME_SAMPLES
        self.count[rows] += taken
        self.sequence[rows] += taken.astype(np.uint16)
        self.timestamp[rows] += samples.astype(np.uint32)
        self.buffers["address"][rows, :, AUDIO_PART] += samples.astype(np.uint64)[:, None]
        return taken

    def _tell(self, stream: Member, datagrams: list[bytes], now: float) -> None:
        """The stream takes what waits, and then these."""
        try:
            stream.settle()
            # What is read together did not come together: nothing is filled up because it was read late.
            for behind, datagram in zip(range(len(datagrams) - 1, -1, -1), datagrams, strict=True):
                stream.take_apart(datagram, now - behind * FRAME_SECONDS)
        except Exception:
            log.exception("call=%s media failed while receiving", stream.name)
            self._on_broken(stream)
