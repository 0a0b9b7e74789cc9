"""G.711, the telephone's 8-bit logarithmic audio (ITU-T G.711), at 8 kHz mono."""

from __future__ import annotations

import audioop
from enum import Enum


class Law(Enum):
    """µ-law (PCMU) or A-law (PCMA): RTP payload type (RFC 3551), WAV format tag, the byte that is silence."""

    PCMU = (0, 7, 0xFF)
    PCMA = (8, 6, 0xD5)

    def __init__(self, payload_type: int, wav_format: int, silence_byte: int) -> None:
        self.payload_type = payload_type
        self.wav_format = wav_format
        self.silence_byte = silence_byte

    def silence(self, samples: int) -> bytes:
        """That many samples of silence."""
        return bytes((self.silence_byte,)) * samples


def encode(pcm16: bytes, law: Law) -> bytes:
    """16-bit samples in the machine's byte order (little-endian on all we run on) to one byte each."""
    return audioop.lin2ulaw(pcm16, 2) if law is Law.PCMU else audioop.lin2alaw(pcm16, 2)


def decode(payload: bytes, law: Law) -> bytes:
    """One byte a sample to 16-bit samples."""
    return audioop.ulaw2lin(payload, 2) if law is Law.PCMU else audioop.alaw2lin(payload, 2)
