"""A caller's recording: payload to disk bit for bit, and the reasons for which it ends by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voice.events import Event, LimitReached
from voice.media import FRAME_SAMPLES, SAMPLE_RATE
from voice.media.conceal import Concealer
from voice.media.g711 import Law
from voice.media.listener import Heard, Listener
from voice.media.writer import SpoolFile, SpoolWriter

__all__ = ["Recorder", "RecordingResult", "SpoolWriter"]

log = logging.getLogger(__name__)
BLOCK_BYTES = SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """What was recorded: seconds, bytes of the file, and what was heard in it."""

    duration: float
    size: int
    heard: Heard


class Recorder:
    """Takes the frames of one recording in the loop's thread; close() is for the flow's thread.

    Posts SilenceReached when speech has been away for silence_timeout seconds (None: never), or ToneReached when the
    caller's line has gone, once; and LimitReached at max_duration seconds. Nothing is taken beyond max_duration.
    """

    __slots__ = (
        "_block",
        "_block_size",
        "_concealer",
        "_file",
        "_left",
        "_listener",
        "_new",
        "_on_event",
        "_room",
        "_told",
        "_unheard",
    )

    def __init__(
        self,
        path: Path,
        law: Law,
        writer: SpoolWriter,
        silence_timeout: float | None,
        max_duration: float,
        on_event: Callable[[Event], None],
    ) -> None:
        """Make the file; OSError."""
        self._file = SpoolFile(path, law, writer)
        self._listener = Listener(law, silence_timeout)
        self._concealer = Concealer(law)
        self._on_event = on_event
        self._new: list[bytes] = []
        self._block: list[bytes] = []
        self._block_size = 0
        self._room = round(max_duration * SAMPLE_RATE)
        self._unheard = b""
        self._told = False
        self._left = self._until_due()

    @property
    def due(self) -> int:
        """How many samples may come before something is to be done with them."""
        return max(1, self._left)

    @property
    def is_patient(self) -> bool:
        """Whether it can have what is due a quarter of a second late: neither its end nor that of the audio is near."""
        return self._listener.is_patient and self._room > 2 * BLOCK_BYTES

    def frame(self, payload: bytes) -> None:
        """Take a payload of any length; never waits for the disk."""
        left = self._left - len(payload)
        if left > 0:
            self._left = left
            self._new.append(payload)
        elif self._room > 0:
            self._new.append(payload)
            self._work()

    def lost(self, samples: int) -> None:
        """The next so many samples that come stand for packets that were lost: they are concealed."""
        if self._room <= 0:
            return
        self._concealer.gap(sum(map(len, self._new)), samples)
        if self._concealer.full:
            # Not all gaps of a second in one piece of work: with the audio behind this one it is done.
            self._left = min(self._left, samples + 1)

    def interrupted(self) -> None:
        """The call was on hold: who paused before it has not been silent since."""
        if self._room > 0:
            self._work()
            self._listener.begin_anew()
            self._left = self._until_due()

    def close(self) -> RecordingResult:
        """Complete and sync the file, wait for it; OSError where anything of it could not be written."""
        self._take_new()
        rest, self._block = b"".join(self._block), []
        self._room = self._left = 0
        self._told = True
        self._hear()
        duration, size = self._file.finish(rest)
        return RecordingResult(duration, size, self._listener.heard())

    def _until_due(self) -> int:
        """After how many bytes something is to be done: a block is full, the listener can decide, no room is left."""
        enough = FRAME_SAMPLES * self._listener.frames_left - len(self._unheard)
        return min(enough, self._room, BLOCK_BYTES - self._block_size)

    def _work(self) -> None:
        self._take_new()
        if self._block_size >= BLOCK_BYTES:
            self._hand_over()
        self._hear()
        self._left = self._until_due()
        if self._room <= 0:
            self._on_event(LimitReached())

    def _take_new(self) -> None:
        """Take what has come since the last time; nothing beyond the longest duration is kept."""
        data = self._concealer.block(b"".join(self._new)[: self._room])
        self._new.clear()
        self._room -= len(data)
        self._block.append(data)
        self._block_size += len(data)
        self._unheard += data

    def _hand_over(self) -> None:
        self._file.append(b"".join(self._block))
        self._block.clear()
        self._block_size = 0
        if self._file.failed:
            self._room = 0

    def _hear(self) -> None:
        """Ask the listener about what has come: several frames at a time, none of which but the last can be the end.

        Packets of other lengths than 20 ms are heard in frames of 20 ms all the same.
        """
        data = self._unheard
        whole = len(data) - len(data) % FRAME_SAMPLES
        if not whole:
            return
        self._unheard = data[whole:]
        event = self._listener.hear(data[:whole])
        if event is not None and not self._told:
            self._told = True
            self._on_event(event)
