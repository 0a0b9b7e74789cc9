"""WAV files: recordings that a crash cut anywhere, and files that only look like prompts."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from voice.media import g711, wav
from voice.media.g711 import Law
from voice.media.speech import speech_seconds
from voice.media.wav import HEADER_SIZE, WavError
from voice.prompts import BUILT_IN

AUDIO = bytes(1 + place % 250 for place in range(1601))
SPEECH = BUILT_IN / "en" / "test_message.wav"


def interrupted(path: Path, law: Law, size: int) -> Path:
    """A recording as a crash leaves it: a header that knows of no audio, cut after `size` bytes."""
    path.write_bytes((wav.header(law, 0) + AUDIO)[:size])
    return path


@pytest.mark.parametrize("law", Law)
@pytest.mark.parametrize("audio_bytes", [1, 2, 159, 160, 161, 1600, 1601])
def test_a_crash_in_the_audio_keeps_every_byte(tmp_path: Path, law: Law, audio_bytes: int) -> None:
    path = interrupted(tmp_path / "take.wav", law, HEADER_SIZE + audio_bytes)
    seconds, size = wav.complete_header(path)
    assert seconds == audio_bytes / 8000
    assert size == path.stat().st_size == HEADER_SIZE + audio_bytes + audio_bytes % 2
    assert path.read_bytes()[:HEADER_SIZE] == wav.header(law, audio_bytes)
    assert path.read_bytes()[HEADER_SIZE : HEADER_SIZE + audio_bytes] == AUDIO[:audio_bytes]
    assert wav.read_prompt(path) == g711.decode(AUDIO[:audio_bytes], law)


@pytest.mark.parametrize("size", range(HEADER_SIZE + 1))
def test_a_crash_within_the_header_holds_no_audio(tmp_path: Path, size: int) -> None:
    path = interrupted(tmp_path / "take.wav", Law.PCMA, size)
    assert wav.complete_header(path) == (0.0, HEADER_SIZE)
    assert path.read_bytes()[:4] == b"RIFF"
    assert path.stat().st_size == HEADER_SIZE


@pytest.mark.parametrize("audio_bytes", [1600, 1601])
def test_completing_twice_changes_nothing(tmp_path: Path, audio_bytes: int) -> None:
    path = interrupted(tmp_path / "take.wav", Law.PCMU, HEADER_SIZE + audio_bytes)
    first = wav.complete_header(path)
    data = path.read_bytes()
    assert wav.complete_header(path) == first
    assert path.read_bytes() == data


def test_a_crash_between_header_and_padding_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav.header(Law.PCMU, 1601) + AUDIO)
    assert wav.complete_header(path) == (1601 / 8000, HEADER_SIZE + 1602)
    assert path.read_bytes() == wav.header(Law.PCMU, 1601) + AUDIO + b"\0"


@pytest.mark.parametrize("law", Law)
def test_others_read_what_we_write(tmp_path: Path, law: Law) -> None:
    path = interrupted(tmp_path / "take.wav", law, HEADER_SIZE + 1601)
    wav.complete_header(path)
    samples, rate = soundfile.read(path, dtype="int16")
    assert (rate, samples.ndim) == (8000, 1)
    assert samples.astype("<i2").tobytes() == g711.decode(AUDIO, law)
    assert soundfile.info(path).subtype == {Law.PCMU: "ULAW", Law.PCMA: "ALAW"}[law]


def test_a_missing_recording_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        wav.complete_header(tmp_path / "none.wav")


def made(channels: int = 1, rate: int = 8000, width: int = 2, seconds: float = 0.1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        out.writeframes(bytes(range(256)) * int(rate * seconds * width * channels / 256))
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


FORMAT = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
WRONG = {
    "empty": (b"", "not a WAV"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj" + bytes(500), "not a WAV"),
    "an MP3": (b"ID3\x04" + bytes(500), "not a WAV"),
    "RIFF of another kind": (b"RIFF\x04\0\0\0AVI " + bytes(50), "not a WAV"),
    "cut in the header": (made()[:30], "no audio"),
    "without a format": (riff(chunk(b"data", bytes(100))), "does not say"),
    "a format that is cut": (riff(chunk(b"fmt ", FORMAT[:10]), chunk(b"data", bytes(100))), "does not say"),
    "without data": (riff(chunk(b"fmt ", FORMAT)), "no audio"),
    "without a sample": (riff(chunk(b"fmt ", FORMAT), chunk(b"data", b"")), "no audio"),
    "a chunk larger than the file": (riff(chunk(b"fmt ", FORMAT)) + b"LIST\xff\xff\xff\xff", "no audio"),
    "stereo": (made(channels=2), "8000 Hz and 2"),
    "192 kHz": (made(rate=192_000), "has 192000 Hz"),
    "24 bits": (made(width=3), "24 bits"),
    "8 bits linear": (made(width=1), "8 bits"),
}


@pytest.mark.parametrize(("data", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_played_says_why(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "prompt.wav"
    path.write_bytes(data)
    with pytest.raises(WavError, match=words):
        wav.read_prompt(path)


def test_chunks_of_others_and_an_extensible_format_are_read(tmp_path: Path) -> None:
    path = tmp_path / "prompt.wav"
    guid = struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    extensible = struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 16000, 2, 16) + guid
    odd = chunk(b"LIST", b"INFOodd")
    path.write_bytes(riff(odd, chunk(b"fmt ", extensible), odd, chunk(b"data", AUDIO[:100])))
    assert wav.read_prompt(path) == AUDIO[:100]


@given(st.binary(max_size=200), st.integers(0, 120), st.integers(0, 255))
def test_no_file_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, cut: int, hit: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.wav"
    good = riff(chunk(b"fmt ", FORMAT), chunk(b"data", tail))
    for data in (tail, b"RIFF\0\0\0\0WAVE" + tail, good[:cut], good[:cut] + bytes((hit,)) + good[cut + 1 :]):
        path.write_bytes(data)
        try:
            pcm16 = wav.read_prompt(path)
        except WavError:
            continue
        assert pcm16
        assert len(pcm16) <= 2 * len(data)


@pytest.mark.parametrize("law", Law)
def test_speech_is_found_in_a_recording_on_disk(tmp_path: Path, law: Law) -> None:
    payload = g711.encode(wav.read_prompt(SPEECH), law)
    path = tmp_path / "take.wav"
    path.write_bytes(wav.header(law, 0) + payload)
    seconds, _ = wav.complete_header(path)
    assert 0.4 * seconds < speech_seconds(path) <= seconds
    path.write_bytes(wav.header(law, 0) + law.silence(80_000))
    wav.complete_header(path)
    assert speech_seconds(path) == 0


@pytest.mark.parametrize("law", Law)
def test_g711_is_as_near_as_g711_can_be(law: Law) -> None:
    pcm16 = wav.read_prompt(SPEECH)
    before = np.frombuffer(pcm16, "<i2").astype(float)
    after = np.frombuffer(g711.decode(g711.encode(pcm16, law), law), "<i2").astype(float)
    assert 10 * np.log10((before**2).mean() / ((before - after) ** 2).mean()) > 33
    silence = np.frombuffer(g711.decode(law.silence(160), law), "<i2")
    assert abs(silence).max() <= 8
