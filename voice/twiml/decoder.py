"""Decodes sounds behind everything else of the machine: two at a time, with a low priority.

What decodes takes 20 MB and is imported when the first sound comes: most who have a telephone have no programs.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from voice.helper_serving import stand_back
from voice.media import g711
from voice.media.g711 import Law
from voice.prompts import payload_path

if TYPE_CHECKING:
    import numpy as np

AT_A_TIME, NICENESS = 2, 10
KINDS = "WAV, MP3, AIFF, Ogg, FLAC, GSM and µ-law can"


class Decoder:
    """Makes what a caller can hear from files of any kind. Safe from any thread."""

    def __init__(self, longest_seconds: float) -> None:
        self._longest = longest_seconds
        self._pool = ThreadPoolExecutor(
            AT_A_TIME, thread_name_prefix="decode", initializer=stand_back, initargs=(NICENESS,)
        )

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def decode(self, source: Path, target: Path, raw: str = "") -> int:
        """Write a file as 8 kHz WAV with its payload of each law beside it; the number of samples.

        raw: what it is where it has no header that says so (app.decoding.RAW). Its level stays as it is, as long as
        it can. ValueError, in a sentence, where it is no sound; OSError.
        """
        return self._pool.submit(self._decode, source, target, raw).result()

    def _decode(self, source: Path, target: Path, raw: str) -> int:
        import numpy as np
        import soundfile

        from app.decoding import TELEPHONE_HZ, Unreadable

        samples = self._samples(source, raw)
        if not len(samples):
            raise Unreadable("The file holds no audio.")
        loudest = float(np.abs(samples).max())
        pcm16 = (samples * np.float32(32767 / max(loudest, 1.0))).round().astype("<i2")
        for law in Law:
            _write(payload_path(target, law), g711.encode(pcm16.tobytes(), law))
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
            soundfile.write(part, pcm16, TELEPHONE_HZ, subtype="PCM_16", format="WAV")
        # It comes last: who finds it finds the payloads too.
        os.replace(part.name, target)
        return len(pcm16)

    def _samples(self, source: Path, raw: str) -> np.ndarray:
        from app.decoding import RAW, TooLong, Unreadable, decode

        try:
            try:
                return decode(source, self._longest)
            except Unreadable:
                if raw not in RAW:
                    raise
                return decode(source, self._longest, raw)
        except Unreadable as error:
            raise Unreadable(f"This is no sound that can be played: {KINDS}.") from error
        except TooLong:
            text = f"The sound is longer than {self._longest:g} s (programmable.sound_seconds)."
            raise TooLong(text) from None


def _write(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        part.write(content)
    os.replace(part.name, path)
