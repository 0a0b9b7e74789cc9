"""Packets of many streams on their way in together: read in one call, looked at by a few array operations."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from voice.media import FRAME_SAMPLES, FRAME_SECONDS
from voice.media.alike import DATAGRAM_BYTES
from voice.media.member import Member, attempt
from voice.media.receiver import TOGETHER, Receiver
from voice.media.rtp import HEADER_SIZE, VERSION_BITS
from voice.media.submission import BUFFER, READ, Submission
from voice.media.table import Columns, Place, Table

WORDS = HEADER_SIZE // 4
"""A header is looked at as three of them: its start with the sequence number, the timestamp, and the SSRC."""
STEP = np.array([1, FRAME_SAMPLES, 0], np.uint32)
"""From one packet to the next."""
PACKET = HEADER_SIZE + FRAME_SAMPLES
REST = DATAGRAM_BYTES - PACKET
NO_SIZE = -1 << 32
"""What no result of a read is."""
ALL_BITS = 0xFFFFFFFF
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
        return int(self.table.cells["count"][self.row])

    @property
    def heard_at(self) -> float:
        """When the last one came that did."""
        return float(self.table.cells["heard_at"][self.row])

    def expect(self, due: int, second: int, sequence: int, timestamp: int | None, ssrc: int) -> None:
        """See voice.media.receiver."""
        cells, row = self.table.cells, self.row
        cells["due"][row] = due
        # Where the number would begin anew before the next settle() the first word would not be what it should.
        runs = 0 <= sequence <= 0xFFFF - TOGETHER - self.table.reads
        cells["size"][row] = PACKET if runs and (timestamp is None or timestamp >= 0) else NO_SIZE
        header, mask, first = cells["header"], cells["mask"], row * WORDS
        header[first] = (VERSION_BITS << 8 | second) << 16 | sequence & 0xFFFF
        header[first + 1], mask[first + 1] = (0, 0) if timestamp is None else (timestamp & ALL_BITS, ALL_BITS)
        header[first + 2] = ssrc & ALL_BITS
        mask[first] = mask[first + 2] = ALL_BITS

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
            size = sizes[read]
            if size >= 0:
                start = (before + read) * FRAME_SAMPLES
                whole = table.headers[row, read].tobytes() + self._audio[start : start + FRAME_SAMPLES].tobytes()
                if size > PACKET:
                    whole += table.rest[row, read, : size - PACKET].tobytes()
                found.append(whole[:size])
        return found


class Arrivals(Table[Waiting, "Read"]):
    """Streams that are visited at the same times, and whose peers send packets of 20 ms. For the loop's thread.

    Of each as many datagrams are read as there may be. Those that are the next packets of audio wait here, as they
    would with the receiver (Receiver.take); all else is given to the stream at once, in its turn.
    """

    COLUMNS: ClassVar[Columns] = {
        "count": (np.intp, ()),
        "due": (np.intp, ()),
        "heard_at": (np.float64, ()),
        # The next packet: its length, its header, and which bits of that count.
        "size": (np.int64, ()),
        "header": (np.uint32, (WORDS,)),
        "mask": (np.uint32, (WORDS,)),
    }
    count: NDArray[np.intp]
    due: NDArray[np.intp]
    heard_at: NDArray[np.float64]
    size: NDArray[np.int64]
    header: NDArray[np.uint32]
    mask: NDArray[np.uint32]

    def __init__(self, submission: Submission, reads: int, on_broken: Callable[[Member], None]) -> None:
        """reads: of each stream at a visit. on_broken: called where a stream has failed."""
        self.reads = reads
        self._submission = submission
        self._on_broken = on_broken
        # Of all reads of a visit, from the first.
        self._steps = np.arange(reads, dtype=np.uint32)[:, None] * STEP
        self._steps_of_audio = np.arange(reads, dtype=np.uint64) * np.uint64(FRAME_SAMPLES)
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
        self.cells["count"][place.row] = 0
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
        self.headers = np.zeros((rows, self.reads, WORDS), ">u4")
        # Large and hardly ever written to: of such a map the system gives memory only where it is.
        rest = mmap.mmap(-1, rows * self.reads * REST, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.rest = np.frombuffer(rest, np.uint8).reshape(rows, self.reads, REST)
        super()._grow(rows)

    def slices(self, rows: slice) -> Read:
        return Read(self, rows)

    def visit(self, now: float) -> None:
        """Read what has come; OSError where that could not be done."""
        if not self.places:
            return
        behind = self._read(self.whole(), now)
        for _ in range(MORE_VISITS):
            for place in tuple(behind):
                if place.row < 0 or not self._read(self.slices(slice(place.row, place.row + 1)), now):
                    behind.remove(place)

    def _read(self, rows: Read, now: float) -> list[Waiting]:
        """Read what has come for these; who may have more of it."""
        sizes = self._submission.run(*rows.requests).reshape(-1, self.reads)
        taken = self._follow(rows, sizes)
        np.copyto(rows.heard_at, now, where=taken > 0)
        came = sizes >= 0
        others = came.sum(axis=1) > taken
        due = rows.count >= rows.due
        # All of it is looked up first: rows change when streams go.
        told: list[tuple[Waiting, list[bytes]]] = []
        behind = []
        for row in (others | due | came[:, -1]).nonzero()[0].tolist():
            place = self.places[rows.first + row]
            if came[row, -1]:
                behind.append(place)
            if others[row]:
                told.append((place, place.datagrams(sizes[row].tolist(), int(taken[row]))))
            elif due[row]:
                told.append((place, []))
        for place, datagrams in told:
            attempt(place.stream, "receiving", partial(_tell, place.stream, datagrams, now), self._on_broken)
        return behind

    def _follow(self, rows: Read, sizes: NDArray[np.int64]) -> NDArray[np.intp]:
        """Keep what follows the packets before it: how many packets of each row."""
        differs = rows.headers - rows.header
        differs -= self._steps
        differs &= rows.mask
        follows = (sizes == rows.size) & ~differs.any(axis=2)
        taken: NDArray[np.intp] = np.logical_and.accumulate(follows, axis=1).sum(axis=1)
        rows.count += taken
        rows.header += taken.astype(np.uint32)[:, None, None] * STEP
        rows.audio += (taken * FRAME_SAMPLES).astype(np.uint64)[:, None]
        return taken


class Read:
    """What each visit looks at, of some rows."""

    __slots__ = ("audio", "count", "due", "first", "header", "headers", "heard_at", "mask", "requests", "size")

    def __init__(self, table: Arrivals, rows: slice) -> None:
        self.first = rows.start
        self.count, self.due, self.heard_at = table.count[rows], table.due[rows], table.heard_at[rows]
        # A row each, for all of its reads.
        self.size, self.header, self.mask = table.size[rows, None], table.header[rows, None], table.mask[rows, None]
        self.headers = table.headers[rows]
        self.audio = table.buffers["address"][rows, :, AUDIO_PART]
        self.requests = table.requests_of(rows)


def _tell(stream: Member, datagrams: list[bytes], now: float) -> None:
    """The stream takes what waits, and then these."""
    stream.settle()
    # What is read together did not come together: nothing is filled up because it was read late.
    for behind, datagram in zip(range(len(datagrams) - 1, -1, -1), datagrams, strict=True):
        stream.take_apart(datagram, now - behind * FRAME_SECONDS)
