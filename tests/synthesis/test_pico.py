"""SVOX Pico as it is: what it says, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from app.config import PROJECT_ROOT
from tests.synthesis.sounds import level_of
from voice.synthesis.engine import EngineFailed, Samples, Voice
from voice.synthesis.loudness import for_telephone
from voice.synthesis.processes import EnginePool
from voice.synthesis.voices import PICO, VOICES

COMMAND = [sys.executable, "-B", "-m", "voice.synthesis.server", PICO]
VOICE = VOICES[0]
TEXTS = {"en": "Good morning, please press one.", "es": "Buenos días, pulse uno.", "fr": "Bonjour, appuyez sur un.",
         "de": "Guten Morgen, drücken Sie eins.", "it": "Buongiorno, prema uno."}  # fmt: skip

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pico() -> Iterator[EnginePool]:
    pool = EnginePool(PICO, COMMAND, 1, 60.0)
    yield pool
    pool.close()


@pytest.mark.parametrize("voice", [voice for voice in VOICES if voice.engine == PICO], ids=lambda voice: voice.name)
def test_every_voice_speaks(pico: EnginePool, voice: Voice) -> None:
    sound = for_telephone(pico.synthesise(TEXTS[voice.base], voice))
    assert 1.0 < len(sound) / 16000 < 4.0
    assert abs(level_of(np.frombuffer(sound, np.int16)) + 20) < 0.5


def test_voices_and_texts_sound_different(pico: EnginePool) -> None:
    voices = [voice for voice in pico.voices if voice.base == "en"]
    said = [pico.synthesise(text, voice).pcm16 for voice in voices for text in ("Hello.", "Goodbye.")]
    assert len(set(said)) == len(said) == 8


def test_what_it_cannot_read_is_silence(pico: EnginePool) -> None:
    assert for_telephone(pico.synthesise("こんにちは。", VOICE)) == b""


def test_markup_never_reaches_it(pico: EnginePool, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="angle brackets"):
        pico.synthesise(f'<genfile file="{tmp_path}/made.wav">Hello</genfile>', VOICE)
    assert not list(tmp_path.iterdir())


def test_its_process_writes_no_file_even_if_markup_did(tmp_path: Path) -> None:
    """What the markup does without that limit, and with it: not only the text keeps the disk safe."""
    code = (
        "import sys, py_nanotts; from voice.synthesis.pico import Pico\n"
        "speaker = py_nanotts.NanoTTS() if sys.argv[1] == 'free' else Pico()._pico\n"
        "speaker.speak(f'<genfile file=\"{sys.argv[2]}\">Hello</genfile>', voice='en-US')\n"
    )
    for kind in ("free", "limited"):
        command = [sys.executable, "-c", code, kind, str(tmp_path / f"{kind}.wav")]
        subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, check=False, timeout=60)
    sizes = {path.stem: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.pop("free") > 0
    assert sum(sizes.values()) == 0


@pytest.mark.parametrize("text", ["á" * 2000, "1234567890" * 400])
def test_texts_on_which_it_hangs_or_fails_end_in_time(text: str) -> None:
    """Which of the two it does is up to it; tidied texts have no such words."""
    pool = EnginePool(PICO, COMMAND, 1, 2.0)
    with suppress(EngineFailed):
        pool.synthesise(text, VOICE)
    pool.close()


def test_no_samples() -> None:
    assert for_telephone(Samples(b"", 16000)) == b""
    assert for_telephone(Samples(b"\0", 16000)) == b""
    assert for_telephone(Samples(bytes(32000), 16000)) == b""
