"""Packets of many streams on their way out together: numbered by a few array operations, sent in one call."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from voice.media import FRAME_SAMPLES
from voice.media.member import Member
from voice.media.rows import Rows
from voice.media.rtp import HEADER_SIZE, VERSION_BITS
from voice.media.sender import Playback, Sender
from voice.media.submission import BUFFER, REQUEST, WRITE, Submission, addresses, request

log = logging.getLogger(__name__)
HEADERS = np.dtype([("version", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")])
FOR_EVER = 1 << 60


class Departures:
    """Streams that send 20 ms of silence, or whole packets of what they play, each 20 ms. For the loop's thread.

    A sender that has departed is numbered here: see Sender. Where audio is sent from it is not copied.
    """

    def __init__(self, submission: Submission, most: int, slots: int, on_broken: Callable[[Member], None]) -> None:
        """most: streams. on_broken: called where a stream has failed."""
        self._submission = submission
        self._on_broken = on_broken
        self._rows: Rows[Member] = Rows(most, slots)
        self._requests = np.zeros(most, REQUEST)
        self._buffers = np.zeros((most, 2), BUFFER)
        self._headers = np.zeros(most, HEADERS)
        # Of the packet that is sent next; how many were sent.
        self.sequence = np.zeros(most, np.uint16)
        self.timestamp = np.zeros(most, np.uint32)
        self.sent = np.zeros(most, np.int64)
        # How many packets there are, and how far each is from the one before it.
        self.left = np.zeros(most, np.int64)
        self._step = np.zeros(most, np.uint64)

    def join(self, slot: int, stream: Member, sender: Sender) -> bool:
        """Send for this stream from now on, in this slot; False where there is no room, or too little to send."""
        playback = sender.playback if sender.is_playing else None
        # The last packet of a playback may be cut off, and is told of: the sender makes it.
        packets = FOR_EVER if playback is None else playback.packets - 1
        row = self._rows.take(slot, stream) if packets > 0 else None
        if row is None:
            return False
        self._headers[row] = VERSION_BITS, sender.payload_type, 0, 0, sender.ssrc
        self.sequence[row], self.timestamp[row], self.sent[row] = sender.sequence, sender.timestamp, sender.sent
        self.left[row] = packets
        self._step[row] = 0 if playback is None else FRAME_SAMPLES
        audio = _address(sender.silence) if playback is None else _address(playback.payload) + playback.position
        self._buffers[row, 0] = self._headers.ctypes.data + row * HEADER_SIZE, HEADER_SIZE
        self._buffers[row, 1] = audio, FRAME_SAMPLES
        self._requests[row] = request(WRITE, stream.fileno(), self._buffers[row].ctypes.data, 2, row)
        sender.departure = Place(self, slot, row, playback)
        return True

    def leave(self, sender: Sender) -> None:
        """The sender sends for itself again. Harmless where it does."""
        place = sender.departure
        if isinstance(place, Place):
            sender.arrive()
            self._rows.give_back(place.slot, place.row)

    def streams(self) -> list[Member]:
        """All of them."""
        return self._rows.owners()

    def send(self, slot: int) -> None:
        """Send a packet of each stream of this slot; OSError where that could not be done."""
        rows = self._rows.of(slot)
        over = self.left[rows] <= 0
        if over.any():
            # They may come back at once, having sent their packet of this time.
            ending, rows = rows[over], rows[~over]
            for row in ending.tolist():
                self._send_apart(row)
        if not len(rows):
            return
        sequences, timestamps = self.sequence[rows], self.timestamp[rows]
        self._headers["sequence"][rows] = sequences
        self._headers["timestamp"][rows] = timestamps
        outcomes = self._submission.run(addresses(self._requests, rows))
        self.sequence[rows] = sequences + np.uint16(1)
        self.timestamp[rows] = timestamps + np.uint32(FRAME_SAMPLES)
        self._buffers["address"][rows, 1] += self._step[rows]
        self.left[rows] -= 1
        self.sent[outcomes["data"].astype(np.intp)] += outcomes["result"] >= 0

    def _send_apart(self, row: int) -> None:
        stream = self._rows.owner(row)
        try:
            stream.send_apart()
        except Exception:
            log.exception("call=%s media failed while sending", stream.name)
            self._on_broken(stream)


class Place:
    """Where the packets of one sender are numbered. It keeps the audio that is sent from."""

    __slots__ = ("_departures", "_end", "playback", "row", "slot")

    def __init__(self, departures: Departures, slot: int, row: int, playback: Playback | None) -> None:
        self._departures, self.slot, self.row, self.playback = departures, slot, row, playback
        self._end = 0 if playback is None else playback.position + FRAME_SAMPLES * (playback.packets - 1)

    @property
    def position(self) -> int:
        """The sample of the playback that is sent next."""
        return self._end - FRAME_SAMPLES * int(self._departures.left[self.row])

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Sequence and timestamp of the next packet, and how many were sent."""
        table, row = self._departures, self.row
        return int(table.sequence[row]), int(table.timestamp[row]), int(table.sent[row])


def _address(payload: bytes) -> int:
    return np.frombuffer(payload, np.uint8).ctypes.data
