"""Texts of Say become sounds: in the right language, once, within limits, whatever engines do."""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.config import Settings
from tests.synthesis.sounds import is_fit
from voice.synthesis import synthesis as module
from voice.synthesis.engine import Engine
from voice.synthesis.engines import Engines
from voice.synthesis.processes import EnginePool
from voice.synthesis.synthesis import Synthesis
from voice.synthesis.voices import KOKORO, PICO
from voice.twiml import codes
from voice.twiml.errands import ErrandFailed


class FaultyEngines(Engines):
    """Engines that fail as their texts say (faulty_engine.py), in place of those of the host."""

    def __init__(self, settings: Settings, logs: Mapping[str, Path]) -> None:
        super().__init__(settings)
        self._pools = {
            name: EnginePool(name, [sys.executable, "-B", "-m", "tests.synthesis.faulty_engine", str(log)], 2, 60.0)
            for name, log in logs.items()
        }

    def here(self) -> Mapping[str, Engine]:
        return dict(self._pools)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(instance=tmp_path)


@pytest.fixture
def speech(settings: Settings) -> Iterator[Synthesis]:
    """With the engines of the host, of which SVOX Pico is always one."""
    speech = Synthesis(settings)
    yield speech
    speech.close()


class Faulty:
    """A Synthesis whose engines fail as their texts say, and what they were asked for."""

    def __init__(self, settings: Settings, folder: Path, names: tuple[str, ...]) -> None:
        self.logs = {name: folder / f"{name}.log" for name in names}
        self.speech = Synthesis(settings, FaultyEngines(settings, self.logs))
        self.say = self.speech.say

    def asked(self, name: str = PICO) -> list[str]:
        log = self.logs[name]
        return [line.partition(" ")[2] for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def open_faulty(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., Faulty]]:
    opened: list[Faulty] = []

    def open_it(*names: str) -> Faulty:
        opened.append(Faulty(settings, tmp_path, names or (PICO,)))
        return opened[-1]

    yield open_it
    for each in opened:
        each.speech.close()


@pytest.mark.parametrize(
    ("text", "language", "heard"),
    [
        ("Thank you for calling. Press one for opening hours.", "en-US", "en-US"),
        ("Gracias por llamar. Pulse uno para el horario.", "es-MX", "es-ES"),
        ("Merci d'avoir appelé. Appuyez sur un.", "fr-CA", "fr-FR"),
    ],
)
def test_english_spanish_and_french_speak_out_of_the_box(
    speech: Synthesis, text: str, language: str, heard: str
) -> None:
    sound = speech.say(text, language)
    is_fit(sound)
    assert 2.0 < sound.seconds < 8.0
    assert (sound.language, sound.notice, sound.cached) == (heard, "", False)


def test_it_is_said_once_and_kept(speech: Synthesis, settings: Settings) -> None:
    first = speech.say("Good morning.", "en", "woman")
    again = speech.say("  Good\nmorning. ", "en-US", "alice")
    assert (again.path, again.cached, again.seconds) == (first.path, True, first.seconds)
    after_a_restart = Synthesis(settings).say("Good morning.", "en-US", "")
    assert (after_a_restart.path, after_a_restart.cached) == (first.path, True)
    others = [speech.say("Good morning.", "en-GB"), speech.say("Good morning.", "", "man"), speech.say("Good day.")]
    assert len({sound.path for sound in (first, *others)}) == 4


def test_a_text_without_language_is_in_the_default_one(settings: Settings) -> None:
    speech = Synthesis(dataclasses.replace(settings, language="fr"))
    assert speech.say("Bonjour").language == "fr-FR"
    assert speech.say("Hello", "en").language == "en-US"
    sound = speech.say("Bonjour", "ja-JP", "Polly.Mizuki")
    assert (sound.language, sound.notice[:64]) == (
        "fr-FR",
        "No voice here speaks Japanese, so one for French is taken: `make",
    )
    speech.close()


@pytest.mark.parametrize("text", ["", "  \n", "😀", "<Say></Say>", "...", "\x00\x01"])
def test_nothing_to_say(speech: Synthesis, text: str) -> None:
    with pytest.raises(ErrandFailed, match="There is nothing to say") as failure:
        speech.say(text, "en", "")
    assert failure.value.code == codes.SAY_TEXT


def test_what_no_voice_here_can_read(speech: Synthesis) -> None:
    with pytest.raises(ErrandFailed, match=r"No voice here speaks Japanese.*“こんにちは。” has nothing that the voice"):
        speech.say("こんにちは。", "ja")


@pytest.mark.parametrize(
    "text",
    ["a" * 5000, "á" * 4096, "1" * 4096, "." * 4000 + "x", "]]>&amp;<b>x", "\ud800x", "x" + "\u0301" * 3000,
     "%s {0} x", "https://example.com/" + "a/" * 500, 'x <genfile file="made.wav">y</genfile>',
     "x\u202e\u200b\ufeff", "-" * 99 + "1"],
)  # fmt: skip
def test_whatever_strangers_send_is_said(speech: Synthesis, text: str) -> None:
    sound = speech.say(text, "en", "")
    assert sound.seconds > 0.1
    assert ("longer than 4096" in sound.notice) is (len(text) > 4096)


def test_sentences_are_kept_by_themselves(open_faulty: Callable[..., Faulty]) -> None:
    faulty = open_faulty()
    faulty.say("You are number one. Please wait.")
    faulty.say("You are number two. Please wait.")
    assert faulty.asked() == ["You are number one.", "Please wait.", "You are number two."]
    whole = faulty.say("You are number one. Please wait.")
    assert whole.cached
    assert is_fit(whole).size == pytest.approx(8000 * (19 / 20 + 12 / 20 + 0.3), abs=3000)


def test_two_calls_that_want_the_same_have_it_made_once(open_faulty: Callable[..., Faulty]) -> None:
    faulty, together = open_faulty(), threading.Barrier(20)

    def one(_: int) -> tuple[Path, bool]:
        together.wait()
        sound = faulty.say("Hello there. How are you?")
        return sound.path, sound.cached

    with ThreadPoolExecutor(20) as threads:
        sounds = list(threads.map(one, range(20)))
    assert len({path for path, _ in sounds}) == 1
    assert sorted(faulty.asked()) == ["Hello there.", "How are you?"]


def test_a_sentence_that_fails_is_left_out_and_told(open_faulty: Callable[..., Faulty]) -> None:
    faulty = open_faulty()
    sound = faulty.say("Hello. Please crash. Goodbye.")
    assert sound.notice == "The engine pico crashed (SIGABRT). It is left out."
    assert np.array_equal(is_fit(sound), is_fit(faulty.say("Hello. Goodbye.")))


def test_what_failed_a_moment_ago_is_not_tried_again(open_faulty: Callable[..., Faulty]) -> None:
    faulty = open_faulty()
    for _ in range(3):
        with pytest.raises(ErrandFailed, match="crashed") as failure:
            faulty.say("Please crash.")
        assert failure.value.code == codes.INTERNAL
    assert faulty.asked() == ["Please crash."]


def test_what_an_engine_had_no_time_for_is_said_a_moment_later(
    open_faulty: Callable[..., Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = open_faulty()
    pool = faulty.speech._engines.here()[PICO]
    assert isinstance(pool, EnginePool)
    busy = [pool._free.get() for _ in range(2)]
    with monkeypatch.context() as hurried:
        hurried.setattr(pool, "_seconds", 0.01)
        with pytest.raises(ErrandFailed, match="is busy"):
            faulty.say("Hello.")
    for process in busy:
        pool._free.put(process)
    assert faulty.say("Hello.").notice == ""


def test_failures_are_forgotten_in_time_and_never_too_many(
    open_faulty: Callable[..., Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FAILED", 2)
    faulty = open_faulty()
    for text in ("refuse 1", "refuse 2", "refuse 3", "refuse 1"):
        with pytest.raises(ErrandFailed, match=r"I do not say that\."):
            faulty.say(text)
    assert faulty.asked() == ["refuse 1", "refuse 2", "refuse 3", "refuse 1"]


def test_another_engine_speaks_where_one_fails(open_faulty: Callable[..., Faulty]) -> None:
    faulty = open_faulty(KOKORO, PICO)
    sound = faulty.say("Hello.", "en", "Kokoro.am_michael")
    assert (sound.language, sound.notice, faulty.asked(PICO)) == ("en-US", "", [])
    assert faulty.say("Not by kokoro.", "en").notice == "I do not say that. So en-US speaks."
    assert faulty.asked(PICO) == ["Not by kokoro."]
    with pytest.raises(ErrandFailed, match="I do not say that"):
        faulty.say("refuse", "en")
    assert faulty.asked(KOKORO)[-1] == faulty.asked(PICO)[-1] == "refuse"


def test_without_any_engine(open_faulty: Callable[..., Faulty], settings: Settings) -> None:
    speech = Synthesis(settings, FaultyEngines(settings, {}))
    with pytest.raises(ErrandFailed, match="Nothing here speaks French, English or English") as failure:
        speech.say("Bonjour", "fr")
    assert failure.value.code == codes.INTERNAL


def test_a_text_does_not_take_for_ever(open_faulty: Callable[..., Faulty], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXT_SECONDS", 0.0)
    faulty = open_faulty()
    with pytest.raises(ErrandFailed, match="More than 0 s had gone by"):
        faulty.say("One. Two. Three.")


def test_a_full_disk_is_told(open_faulty: Callable[..., Faulty], settings: Settings) -> None:
    faulty = open_faulty()
    (settings.instance / "voice").mkdir()
    (settings.instance / "voice" / "speech").write_text("in the way")
    with pytest.raises(ErrandFailed, match="cannot be kept on the disk of the voice worker"):
        faulty.say("Hello.")
