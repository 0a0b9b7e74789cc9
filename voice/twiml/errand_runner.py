"""Goes for what programmed calls need, in this very process."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Protocol

from app.config import Settings
from voice.twiml import callbacks, codes
from voice.twiml.cookies import Cookies
from voice.twiml.decoder import Decoder
from voice.twiml.document import Document, DocumentError
from voice.twiml.encodings import decoded
from voice.twiml.errands import Ask, ErrandFailed, Exchange, Fetched, Sound
from voice.twiml.parse import parse
from voice.twiml.requests import DOCUMENT_BYTES, Reply, Requests, Wish
from voice.twiml.sounds import Sounds

# What XML cannot hold (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
XML_TYPES = frozenset(("text/xml", "application/xml", "text/html", ""))


class Speaker(Protocol):
    """Whoever says texts (voice/synthesis)."""

    def say(self, text: str, language: str, voice: str) -> Sound: ...

    def tidy(self) -> None: ...

    def close(self) -> None: ...


class Runner:
    """Implements Errands. Safe from any thread; each errand holds up the thread that asks for it."""

    def __init__(self, settings: Settings, speaker: Speaker | None = None, requests: Requests | None = None) -> None:
        """speaker, requests: in place of those by the settings."""
        self._settings = settings
        self._the_speaker = speaker
        self._requests = requests or Requests(settings)
        self._cookies = Cookies()
        self._decoder = Decoder(settings.programmable.sound_seconds)
        self._sounds = Sounds(settings, self._requests, self._decoder)
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def close(self) -> None:
        """End connections and threads; callbacks are not tried again."""
        self._closing.set()
        self._requests.close()
        self._decoder.close()
        if self._the_speaker:
            self._the_speaker.close()

    def tidy(self) -> None:
        """Remove what the caches of sounds and speech need not keep."""
        self._sounds.tidy()
        if self._the_speaker:
            self._the_speaker.tidy()

    def document(self, ask: Ask) -> Fetched:
        """Fetch and parse a document, signed, with the cookies of the call; ErrandFailed."""
        reply = self._requests.fetch(Wish(ask.url, ask.method, ask.parameters), self._cookies.of(ask.call_sid))
        try:
            return Fetched(self._document(reply), reply.exchanges)
        except DocumentError as error:
            asked = reply.exchanges[0].url
            raise ErrandFailed(error.code, str(error), asked, reply.exchanges, error.line, error.column) from None

    def sound(self, url: str) -> Sound:
        """Fetch a sound of Play, or take it from the cache; ErrandFailed."""
        return self._sounds.sound(url)

    def speech(self, text: str, language: str, voice: str) -> Sound:
        """Say a text, or take it from the cache; ErrandFailed where no engine can say anything."""
        return self._speaker.say(text, language, voice)

    def callback(self, ask: Ask, done: Callable[[tuple[Exchange, ...]], object]) -> None:
        """Send a request whose answer nobody waits for, a few times if need be; it never fails."""
        jar = self._cookies.of(ask.call_sid)
        callbacks.in_background(lambda: done(callbacks.send(self._requests, ask, jar, self._closing)))

    def over(self, call_sid: str) -> None:
        """The call has ended: its cookies go."""
        self._cookies.drop(call_sid)

    @property
    def _speaker(self) -> Speaker:
        """Imported when the first text is to be said, as what decodes is for the first sound."""
        from voice.synthesis.synthesis import Synthesis

        with self._lock:
            self._the_speaker = self._the_speaker or Synthesis(self._settings)
            return self._the_speaker

    def _document(self, reply: Reply) -> Document:
        """What an answer means (https://www.twilio.com/docs/voice/twiml#twilio-understands-mime-types)."""
        kind, body, strict = reply.content_type, reply.answer.body, self._settings.programmable.strict
        if kind.startswith("audio/"):
            return parse(_one_verb("Play", reply.asked), reply.url, strict=strict)
        if reply.answer.cut:
            raise DocumentError(codes.TOO_LARGE, f"The document is larger than {DOCUMENT_BYTES:,} bytes.")
        charset = reply.charset
        if kind in XML_TYPES or kind.endswith("+xml"):
            return parse(body, reply.url, strict=strict, charset=charset)
        if kind == "text/plain":
            return parse(_one_verb("Say", _words(body, charset)), reply.url, strict=strict)
        text = f"The server says that its answer is {kind[:100]}; a document is text/xml, application/xml or text/html."
        raise DocumentError(codes.CONTENT_TYPE, text)


def _one_verb(name: str, text: str) -> bytes:
    """A document of one verb."""
    return f"<Response><{name}>{_escaped(text)}</{name}></Response>".encode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _words(body: bytes, charset: str) -> str:
    """A plain text, which is read aloud; DocumentError where it is none."""
    text = _NOT_XML.sub(" ", decoded(body, charset)).strip()
    if text.startswith("<"):
        wrong = "The server says that its answer is text/plain, which is read aloud; a document is text/xml."
        raise DocumentError(codes.CONTENT_TYPE, wrong)
    if not text:
        raise DocumentError(codes.EMPTY_BODY, "The answer is empty.")
    return text
