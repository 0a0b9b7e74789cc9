"""Texts of Say become sounds: chosen voice, sentence by sentence, each synthesised once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.config import Settings
from voice.media import SAMPLE_RATE
from voice.synthesis.choice import Choice, choose
from voice.synthesis.engine import Engine, EngineAway, EngineFailed, Voice
from voice.synthesis.engines import Engines
from voice.synthesis.loudness import for_telephone
from voice.synthesis.once import Once
from voice.synthesis.speech_cache import SpeechCache
from voice.synthesis.text import LONGEST, has_words, sentences, tidied
from voice.twiml import codes
from voice.twiml.errands import ErrandFailed, Sound

log = logging.getLogger(__name__)
# Raised when the same text and voice would sound otherwise than before.
FORM = 1
PAUSE = bytes(2 * SAMPLE_RATE * 3 // 10)
# A sentence that an engine failed on is not tried again for so long: each try may hold a process up.
FAILED_SECONDS = 300.0
# After so long no further sentence of a text is begun: a caller waits for it.
TEXT_SECONDS = 15.0
MOST_FAILED = 1000


@dataclass(frozen=True)
class _Part:
    """A sentence that was spoken. failure: why not by the voice that was chosen first."""

    path: Path
    voice: Voice
    cached: bool
    failure: str = ""


class Synthesis:
    """Says texts. Safe from any thread; each text holds up the thread that asks for it."""

    def __init__(self, settings: Settings, engines: Engines | None = None) -> None:
        """engines: in place of those of this host."""
        self._default = settings.language
        self._engines = engines or Engines(settings)
        # The other half is for the sounds of Play.
        self._cache = SpeechCache(settings.instance / "voice" / "speech", settings.programmable.cache_bytes // 2)
        self._once: Once[_Part] = Once()
        self._failed: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def say(self, text: str, language: str = "", voice: str = "") -> Sound:
        """The sound of a text of up to 4096 characters, in a language (BCP 47; empty: the voice's, else the default).

        ErrandFailed where there is nothing to say, or no engine that can say any of it.
        """
        notices = (
            [f"The text is longer than {LONGEST} characters; the rest is not said."] if len(text) > LONGEST else []
        )
        text = tidied(text)
        if not has_words(text):
            raise ErrandFailed(codes.SAY_TEXT, "There is nothing to say: the text has no letters and no digits.")
        engines = self._engines.here()
        try:
            choice = choose(language, voice, list(engines), self._default)
            parts, failures = self._parts(sentences(text), choice, engines)
        except EngineFailed as error:
            raise ErrandFailed(codes.INTERNAL, str(error)) from None
        notices += [choice.notice] if choice.notice else []
        notices += failures[:1]
        try:
            part = parts[0] if len(parts) == 1 else self._joined(parts)
            seconds = self._cache.prepared(part.path)
        except (OSError, ValueError) as error:
            log.error("speech cannot be kept: %s", error)
            raise ErrandFailed(codes.INTERNAL, "The speech cannot be kept on the disk of the voice worker.") from None
        return Sound(part.path, seconds, part.cached, part.voice.language, " ".join(notices))

    def tidy(self) -> None:
        """Remove what the cache need not keep."""
        self._cache.shrink()

    def close(self) -> None:
        """End the engines."""
        self._engines.close()

    def _parts(self, texts: list[str], choice: Choice, engines: Mapping[str, Engine]) -> tuple[list[_Part], list[str]]:
        """What could be spoken, and a sentence on each text that could not as it should; EngineFailed: none could."""
        parts: list[_Part] = []
        failures: list[str] = []
        end = time.monotonic() + TEXT_SECONDS
        for text in texts:
            if time.monotonic() > end:
                failures.insert(
                    0, f"More than {TEXT_SECONDS:.0f} s had gone by, so all from “{_short(text)}” is left out."
                )
                break
            try:
                part = self._part(text, choice, engines)
            except EngineFailed as error:
                failures.append(f"{error} It is left out.")
                continue
            parts.append(part)
            failures += [f"{part.failure} So {part.voice.name} speaks."] if part.failure else []
        if not parts:
            raise EngineFailed(f"{choice.notice} {failures[0].removesuffix(' It is left out.')}".strip())
        return parts, failures

    def _part(self, text: str, choice: Choice, engines: Mapping[str, Engine]) -> _Part:
        """One sentence, by the first voice that can speak it; EngineFailed with what the first one said."""
        failure = ""
        for voice in choice.voices:
            name = _hash([voice.engine, voice.name, voice.language, text])
            work = partial(self._found_or_made, name, text, voice, engines[voice.engine])
            try:
                part, mine = self._once.do(name, work)
            except EngineFailed as error:
                failure = failure or str(error)
                continue
            return _Part(part.path, part.voice, part.cached or not mine, failure)
        raise EngineFailed(failure)

    def _found_or_made(self, name: str, text: str, voice: Voice, engine: Engine) -> _Part:
        if path := self._cache.find(name):
            return _Part(path, voice, cached=True)
        until, failure = self._failed.get(name, (0.0, ""))
        if until > time.monotonic():
            raise EngineFailed(failure)
        try:
            pcm16 = for_telephone(engine.synthesise(text, voice))
        except EngineFailed as error:
            log.warning("engine=%s failed on %d characters: %s", voice.engine, len(text), error)
            if not isinstance(error, EngineAway):
                self._remember(name, str(error))
            raise
        if not pcm16:
            raise EngineFailed(f"“{_short(text)}” has nothing that the voice {voice.name} can speak.")
        try:
            return _Part(self._cache.put(name, pcm16), voice, cached=False)
        except OSError as error:
            log.error("speech cannot be kept: %s", error)
            raise EngineFailed("The speech cannot be kept on the disk of the voice worker.") from None

    def _joined(self, parts: list[_Part]) -> _Part:
        """The sentences as one sound, with pauses between them."""
        name = _hash(["joined", *(part.path.stem for part in parts)])
        cached = all(part.cached for part in parts)

        def join() -> _Part:
            if path := self._cache.find(name):
                return _Part(path, parts[0].voice, cached)
            pcm16 = PAUSE.join(self._cache.samples(part.path) for part in parts)
            return _Part(self._cache.put(name, pcm16), parts[0].voice, cached=False)

        return self._once.do(name, join)[0]

    def _remember(self, name: str, failure: str) -> None:
        with self._lock:
            while len(self._failed) >= MOST_FAILED:
                del self._failed[next(iter(self._failed))]
            self._failed[name] = (time.monotonic() + FAILED_SECONDS, failure)


def _hash(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps([FORM, *parts]).encode()).hexdigest()[:40]


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
