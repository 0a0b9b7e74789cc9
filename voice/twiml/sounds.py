"""Sounds of Play: fetched once, decoded for the telephone, and kept beside the voice worker as their servers allow."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from app import net
from app.config import Settings
from voice.media import SAMPLE_RATE
from voice.media.g711 import Law
from voice.prompts import payload_path
from voice.sound_cache import SoundCache
from voice.synthesis.once import Once
from voice.twiml import codes
from voice.twiml.decoder import Decoder
from voice.twiml.errands import ErrandFailed, Sound
from voice.twiml.freshness import freshness_of
from voice.twiml.requests import Reply, Requests, Wish
from voice.twiml.urls import shown, target_of

log = logging.getLogger(__name__)
NOT_MODIFIED = 304
UNUSED_SECONDS = 30 * 86400.0
# What may not be kept is there as long as a call that fetched it may want to play it.
ONCE, ONCE_SECONDS = "once-", 3600.0


@dataclass(frozen=True)
class Kept:
    """What is known of a URL. name: of its sound. came_from: the URL at the end of redirects, as a hash.

    until: UNIX time up to which it may be played without asking.
    """

    name: str
    samples: int
    came_from: str
    until: float
    etag: str
    last_modified: str


class Sounds:
    """A folder of sounds by URL. Safe from any thread, and beside other processes of the same host."""

    def __init__(self, settings: Settings, requests: Requests, decoder: Decoder) -> None:
        self._rules, self._requests, self._decoder = settings.programmable, requests, decoder
        self._folder = settings.instance / "voice" / "sounds"
        # Twenty calls that want one sound fetch it once.
        self._once = Once[Sound]()

    def sound(self, url: str) -> Sound:
        """The sound of a URL, fetched where it is not here or no longer good; ErrandFailed."""
        key = _hash(_wire(url))
        found, mine = self._once.do(key, lambda: self._sound(url, key))
        # Somebody else may have fetched it at this moment.
        return found if mine else replace(found, exchanges=(), cached=True)

    def tidy(self) -> None:
        """Remove what has not been played for long, and the longest unused of what is too much."""
        # The other half is for speech.
        SoundCache(self._folder).shrink(self._rules.cache_bytes // 2, UNUSED_SECONDS)
        for path in self._folder.glob(f"{ONCE}*"):
            _remove_older(path, ONCE_SECONDS)
        for path in (self._folder / "urls").glob("*.json"):
            _remove_older(path, UNUSED_SECONDS)

    def _sound(self, url: str, key: str) -> Sound:
        kept = self._load(key)
        if kept and kept.until > time.time():
            return self._found(kept)
        try:
            self._folder.joinpath("urls").mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part") as part:
                reply = self._fetch(url, kept, Path(part.name))
                return self._take(reply, key, kept, Path(part.name))
        except OSError as error:
            text = f"The sound cannot be kept here: {(error.strerror or str(error)).lower()}."
            raise ErrandFailed(codes.INTERNAL, text, shown(url)) from None

    def _fetch(self, url: str, kept: Kept | None, part: Path) -> Reply:
        asked = {"If-None-Match": kept.etag, "If-Modified-Since": kept.last_modified} if kept else {}
        conditions = tuple((name, value) for name, value in asked.items() if value)
        good = (NOT_MODIFIED,) if conditions else ()
        with part.open("wb") as file:
            wish = Wish(url, headers=conditions, good=good, most=self._rules.sound_bytes, into=file)
            reply = self._requests.fetch(wish)
        if reply.answer.status == NOT_MODIFIED and kept and _hash(reply.url) != kept.came_from:
            # Redirects lead elsewhere by now: what has not changed there is another sound.
            again = self._fetch(url, None, part)
            return replace(again, exchanges=reply.exchanges + again.exchanges)
        return reply

    def _take(self, reply: Reply, key: str, kept: Kept | None, part: Path) -> Sound:
        now = time.time()
        fresh = freshness_of(reply.answer.headers, now)
        # Where a redirect leads tomorrow is not known today.
        until = fresh.until if len(reply.exchanges) == 1 else 0.0
        if kept and reply.answer.status == NOT_MODIFIED:
            self._save(key, replace(kept, until=until))
            return replace(self._found(kept), exchanges=reply.exchanges)
        self._check(reply, part)
        raw = _raw_kind(reply)
        # The same bytes sound otherwise where a server calls them otherwise.
        name = f"{_hash_of_file(part)}{raw}" if fresh.store else f"{ONCE}{uuid.uuid4().hex}"
        try:
            samples = self._decoder.decode(part, self._folder / f"{name}.wav", raw)
        except ValueError as error:
            raise _failed(codes.PLAY_CONTENT_TYPE, _no_sound(reply, str(error)), reply) from None
        headers = reply.answer.headers
        validators = (headers.get("ETag", ""), headers.get("Last-Modified", ""))
        fetched = Kept(name, samples, _hash(reply.url), until, *validators)
        if fresh.store:
            self._save(key, fetched)
        return replace(self._found(fetched), cached=False, exchanges=reply.exchanges)

    def _check(self, reply: Reply, part: Path) -> None:
        if reply.answer.cut:
            text = f"The sound is larger than {self._rules.sound_bytes:,} bytes (programmable.sound_bytes)."
            raise _failed(codes.TOO_LARGE, text, reply)
        if reply.answer.status != 200 or not part.stat().st_size:
            raise _failed(codes.EMPTY_BODY, f"{_place(reply)} answered, but with no sound in it.", reply)

    def _found(self, kept: Kept) -> Sound:
        path = self._folder / f"{kept.name}.wav"
        # It is in use: others go first.
        with suppress(FileNotFoundError):
            os.utime(path)
        return Sound(path, kept.samples / SAMPLE_RATE, cached=True)

    def _load(self, key: str) -> Kept | None:
        """What is known of a URL, where its sound is here as a whole."""
        try:
            kept = Kept(**json.loads(self._note(key).read_text(encoding="utf-8")))
            path = self._folder / f"{kept.name}.wav"
            whole = all(payload_path(path, law).stat().st_size == kept.samples for law in Law)
            return kept if whole and path.exists() else None
        except (OSError, ValueError, TypeError):
            return None

    def _save(self, key: str, kept: Kept) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".part", delete=False) as part:
            json.dump(asdict(kept), part)
        os.replace(part.name, self._note(key))

    def _note(self, key: str) -> Path:
        return self._folder / "urls" / f"{key}.json"


def _wire(url: str) -> str:
    """The URL as it is requested, which is one sound however it is written; ErrandFailed."""
    try:
        target = target_of(url)
    except net.BadRequest as error:
        raise ErrandFailed(codes.INVALID_URL, str(error), shown(url)) from None
    return target.base


def _raw_kind(reply: Reply) -> str:
    """What a file without a header is, by what its server or its name say; else empty."""
    kind = reply.content_type
    for raw, names in RAW_TYPES.items():
        if kind in names:
            return raw
    if kind in ANY_TYPES:
        return RAW_SUFFIXES.get(Path(urlsplit(reply.url).path).suffix.lower(), "")
    return ""


RAW_TYPES = {
    "ulaw": ("audio/basic", "audio/ulaw", "audio/x-ulaw", "audio/mulaw", "audio/x-mulaw", "audio/pcmu"),
    "alaw": ("audio/alaw", "audio/x-alaw", "audio/pcma"),
    "gsm": ("audio/gsm", "audio/x-gsm"),
}
ANY_TYPES = ("", "application/octet-stream", "binary/octet-stream")
RAW_SUFFIXES = {".ulaw": "ulaw", ".ul": "ulaw", ".mulaw": "ulaw", ".alaw": "alaw", ".al": "alaw", ".gsm": "gsm"}


def _no_sound(reply: Reply, why: str) -> str:
    kind = reply.content_type
    told = f" Its server says that it is {kind}." if kind and not kind.startswith("audio/") else ""
    return f"{why}{told}"


def _place(reply: Reply) -> str:
    return target_of(reply.url).place


def _failed(code: int, text: str, reply: Reply) -> ErrandFailed:
    return ErrandFailed(code, text, reply.exchanges[0].url, reply.exchanges)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:40]


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:40]


def _remove_older(path: Path, seconds: float) -> None:
    with suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > seconds:
            path.unlink()
