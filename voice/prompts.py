"""Sounds by name and language as G.711 payloads: custom ones over the built-in ones, never silence."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import tomllib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.config import LANGUAGES, PROJECT_ROOT
from voice.media import g711, tones, wav
from voice.media.g711 import Law
from voice.speech.base import PAUSE

log = logging.getLogger(__name__)
BUILT_IN = PROJECT_ROOT / "sounds"
CACHED_BYTES = 32_000_000
LISTED_FAULTS = 200
PAUSE_SAMPLES = 1600
TONES = {"beep": tones.beep, "confirmation": tones.confirmation, "failure": tones.failure}


class Prompts:
    """Payloads ready to be sent, encoded once for each law. Safe from any thread."""

    def __init__(self, default_language: str, custom: Path | None = None, built_in: Path = BUILT_IN) -> None:
        self._folders = [folder for folder in (custom, built_in) if folder]
        self._default = default_language
        self._cache: OrderedDict[tuple[str, Law], bytes] = OrderedDict()
        self._ready: dict[tuple[str, Law], bytes] = {}
        self._size = 0
        self._lock = threading.Lock()
        # By language and name. Each is replaced as a whole, or only ever gets more: no lock is needed.
        self._laid_over: dict[tuple[str, str], Path] = {}
        self._not_fetched: frozenset[tuple[str, str]] = frozenset()
        self._missing: dict[tuple[str, str], None] = {}

    @property
    def faults(self) -> list[dict[str, str]]:
        """Prompts that do not play as they should, for the portal: name, language, problem (missing, unplayable)."""
        missing = [key for key in tuple(self._missing) if key not in self._laid_over]
        found = [*((key, "missing") for key in missing), *((key, "unplayable") for key in sorted(self._not_fetched))]
        return [
            {"name": name, "language": language, "problem": problem}
            for (language, name), problem in found[:LISTED_FAULTS]
        ]

    def lay_over(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Let custom prompts play in place of all others of their name and language, and no others than these.

        rows: name, language, and the path of a sound that was prepared; None where it cannot be had.
        """
        custom = {(row["language"], row["name"]): row["path"] for row in rows}
        self._laid_over = {key: Path(path) for key, path in custom.items() if path}
        self._not_fetched = frozenset(key for key, path in custom.items() if not path)

    def prepare(self) -> None:
        """Encode every tone and prompt now and for good, so that no call makes the process that paces media do it."""
        for law in Law:
            for name in TONES:
                self._ready[name, law] = self.tone(name, law)
            for path in (path for folder in self._folders for path in _prompts_of(folder)):
                if (payload := self._payload(path, law)) is not None:
                    self._ready[str(path), law] = payload
        self._note_missing()
        with self._lock:
            self._cache.clear()
            self._size = 0

    def prompt(self, name: str, language: str, law: Law) -> bytes:
        """The prompt in this language, else in the default one, else in English; a tone where all are missing."""
        for choice in dict.fromkeys((language, self._default, "en")):
            payload = self._sound_of(name, choice, law)
            if payload is not None:
                if choice != language:
                    self._missing[language, name] = None
                    log.warning("prompt=%s is missing in language=%s, %s plays", name, language, choice)
                return payload
        self._missing[language, name] = None
        log.error("prompt=%s is missing in every language, a tone plays", name)
        return self.tone("failure", law)

    def say(self, names: Sequence[str], language: str, law: Law) -> bytes:
        """Several prompts as one payload; `pause` among them is a short silence (voice/speech)."""
        return b"".join(
            law.silence(PAUSE_SAMPLES) if name == PAUSE else self.prompt(name, language, law) for name in names
        )

    def sound(self, path: str, law: Law) -> bytes | None:
        """A sound of the voice worker's cache; None where it is away or broken."""
        return self._payload(Path(path), law)

    def tone(self, name: str, law: Law) -> bytes:
        """`beep` (speak now), `confirmation` (the message is kept) or `failure`."""
        if (held := self._held((name, law))) is not None:
            return held
        payload = g711.encode(TONES[name](), law)
        self._keep((name, law), payload)
        return payload

    def _sound_of(self, name: str, language: str, law: Law) -> bytes | None:
        """The prompt in this very language, the custom one first."""
        own = self._laid_over.get((language, name))
        folders = [folder / language / f"{name}.wav" for folder in self._folders]
        for path in [own, *folders] if own else folders:
            if path.is_file() and (payload := self._payload(path, law)) is not None:
                return payload
        return None

    def _note_missing(self) -> None:
        """Look through the list of prompts for those that have no sound: not only a caller is to find out."""
        try:
            listed = tomllib.loads((BUILT_IN / "prompts.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.error("the list of prompts cannot be read: %s", error)
            return
        wanted = [(language, name) for name, row in listed.items() for language in LANGUAGES if language in row]
        missing = [key for key in wanted if self._sound_of(key[1], key[0], Law.PCMU) is None]
        self._missing |= dict.fromkeys(missing)
        if missing:
            log.error("prompts=%d have no sound, the first is %s", len(missing), "/".join(missing[0]))

    def _payload(self, path: Path, law: Law) -> bytes | None:
        key = (str(path), law)
        if (held := self._held(key)) is not None:
            return held
        try:
            prepared = payload_path(path, law)
            payload = prepared.read_bytes() if prepared.is_file() else g711.encode(wav.read_prompt(path), law)
        except (OSError, ValueError) as error:
            log.error("sound=%s cannot be played: %s", path, error)
            return None
        self._keep(key, payload)
        return payload

    def _held(self, key: tuple[str, Law]) -> bytes | None:
        if (ready := self._ready.get(key)) is not None:
            return ready
        with self._lock:
            if (held := self._cache.get(key)) is not None:
                self._cache.move_to_end(key)
            return held

    def _keep(self, key: tuple[str, Law], payload: bytes) -> None:
        with self._lock:
            self._size += len(payload) - len(self._cache.get(key, b""))
            self._cache[key] = payload
            while self._size > CACHED_BYTES:
                self._size -= len(self._cache.popitem(last=False)[1])


def payload_path(path: Path, law: Law) -> Path:
    """Where the payload of a sound lies beside it, once prepare_payloads() has written it."""
    return path.with_suffix(f".{law.name.lower()}")


def prepare_payloads(path: Path) -> None:
    """Write a sound's payload for each law beside it; OSError, ValueError where it cannot be played.

    It is done in the keeper: to decode a greeting takes milliseconds, to read its payload does not.
    """
    for law in Law:
        target = payload_path(path, law)
        if target.exists():
            continue
        payload = g711.encode(wav.read_prompt(path), law)
        # Several threads and keepers may do it at once; each writes a file of its own.
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            part.write(payload)
            part.flush()
            os.fsync(part.fileno())
        os.replace(part.name, target)


def _prompts_of(folder: Path) -> list[Path]:
    """The prompts in a folder of sounds, of those names that the product knows: some languages alone have."""
    names = sorted({path.name for path in BUILT_IN.glob("*/*.wav")})
    paths = (folder / language / name for language in LANGUAGES for name in names)
    return [path for path in paths if path.is_file()]
