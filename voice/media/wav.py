"""WAV files: G.711 recordings (format 6 or 7) that survive a crash, and prompts to be played."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from voice.media import SAMPLE_RATE
from voice.media.g711 import Law, decode

HEADER_SIZE = 58
MAX_PROMPT_BYTES = 32_000_000
_HEADER = struct.Struct("<4sI4s4sIHHIIHHH4sII4sI")
_FORMAT_AT = 20
_PCM, _EXTENSIBLE = 1, 0xFFFE


class WavError(ValueError):
    """A file that is no WAV, or none that can be played on a telephone line as it is."""


def header(law: Law, data_size: int) -> bytes:
    """58 bytes: RIFF, fmt with an empty extension, fact (which non-PCM needs), data."""
    padded = data_size + (data_size & 1)
    return _HEADER.pack(
        b"RIFF",
        HEADER_SIZE - 8 + padded,
        b"WAVE",
        b"fmt ",
        18,
        law.wav_format,
        1,
        SAMPLE_RATE,
        SAMPLE_RATE,
        1,
        8,
        0,
        b"fact",
        4,
        data_size,
        b"data",
        data_size,
    )


def write_header(descriptor: int, law: Law) -> None:
    """Begin a recording in an empty file."""
    os.pwrite(descriptor, header(law, 0), 0)


def complete_header(path: Path) -> tuple[float, int]:
    """Make the header of a recording say what the file holds: seconds of audio, bytes of the file.

    Works on a file that a crash cut anywhere, even within its header (then it holds no audio), and on one
    that is complete already. It is on disk when this returns. OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return finish(descriptor)
    finally:
        os.close(descriptor)


def finish(descriptor: int) -> tuple[float, int]:
    """complete_header() for a file that is open for reading and writing."""
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, HEADER_SIZE, 0)
    law = law_of(head)
    data_size = max(0, size - HEADER_SIZE)
    said = int.from_bytes(head[HEADER_SIZE - 4 :], "little") if len(head) == HEADER_SIZE else 0
    if said & 1 and said + 1 == data_size:
        data_size = said
    os.pwrite(descriptor, header(law, data_size), 0)
    if data_size & 1:
        os.pwrite(descriptor, b"\0", HEADER_SIZE + data_size)
    os.fsync(descriptor)
    return data_size / SAMPLE_RATE, HEADER_SIZE + data_size + (data_size & 1)


def law_of(head: bytes) -> Law:
    """The law that the header of a recording tells; PCMU where it is cut off."""
    told = head[_FORMAT_AT : _FORMAT_AT + 2]
    return Law.PCMA if told == struct.pack("<H", Law.PCMA.wav_format) else Law.PCMU


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_prompt(path: Path) -> bytes:
    """A prompt as 16-bit samples: 8 kHz mono, 16-bit PCM or G.711; WavError, OSError."""
    with path.open("rb") as file:
        return _read(file)


def _read(file: BinaryIO) -> bytes:
    start = file.read(12)
    if len(start) < 12 or start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise WavError("this is not a WAV file")
    layout = b""
    for name, size in _chunks(file):
        if name == b"fmt ":
            layout = file.read(min(size, 40))
        elif name == b"data":
            return _samples(layout, file.read(min(size, MAX_PROMPT_BYTES)))
    raise WavError("the WAV file holds no audio")


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, with the file at its first byte."""
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        here = file.tell()
        yield head[:4], size
        file.seek(here + size + (size & 1))


def _samples(layout: bytes, data: bytes) -> bytes:
    if len(layout) < 16:
        raise WavError("the WAV file does not say what it holds")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", layout)
    if kind == _EXTENSIBLE and len(layout) >= 26:
        kind = int.from_bytes(layout[24:26], "little")
    if channels != 1 or rate != SAMPLE_RATE:
        raise WavError(f"needs 8000 Hz and one channel, has {rate} Hz and {channels}")
    if len(data) < bits // 8:
        raise WavError("the WAV file holds no audio")
    if kind == _PCM and bits == 16:
        return data[: len(data) & ~1]
    for law in Law:
        if kind == law.wav_format and bits == 8:
            return decode(data, law)
    raise WavError(f"needs 16-bit PCM or G.711, has format {kind} with {bits} bits")
