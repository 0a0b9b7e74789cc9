"""The media process's end of the courier."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar

from app.config import Settings
from voice.errors import HelperAway
from voice.helper_process import HelperProcess
from voice.twiml import codes
from voice.twiml.errand_plain import exchanges_of, failure_of, fetched_of, sound_of
from voice.twiml.errands import Ask, ErrandFailed, Exchange, Fetched, Sound
from voice.twiml.urls import shown, shown_parameters

log = logging.getLogger(__name__)
# What an errand may take beyond the time that its server has: parsing; decoding behind all else; synthesis.
PARSE_SECONDS, DECODE_SECONDS, SPEECH_SECONDS = 5.0, 20.0, 45.0
# A callback that a courier took with it into its end is given to the next one, so many times in all.
CALLBACK_TRIES = 2


class CourierAway(HelperAway):
    """The courier is not running, or gave no answer in time."""


@dataclass
class _Callback:
    ask: Ask
    done: Callable[[tuple[Exchange, ...]], object]
    tries: int = 0


class CourierClient(HelperProcess):
    """One courier process and the errands that are under way to it; implements Errands. Safe from any thread."""

    name = "courier"
    module = "voice.twiml.courier"
    away: ClassVar[type[HelperAway]] = CourierAway

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._seconds = settings.programmable.timeout
        self._callbacks: dict[int, _Callback] = {}
        self._callback_numbers = count(1)
        self._callback_lock = threading.Lock()

    def document(self, ask: Ask) -> Fetched:
        """Fetch and parse a document, signed, with the cookies of the call; ErrandFailed."""
        found = self._errand(ask.url, self._seconds + PARSE_SECONDS, ask="document", errand=asdict(ask))
        return fetched_of(found)

    def sound(self, url: str) -> Sound:
        """Fetch a sound of Play, or take it from the cache; ErrandFailed."""
        return sound_of(self._errand(url, self._seconds + DECODE_SECONDS, ask="sound", url=url))

    def speech(self, text: str, language: str, voice: str) -> Sound:
        """Say a text, or take it from the cache; ErrandFailed where no engine can say anything."""
        return sound_of(self._errand("", SPEECH_SECONDS, ask="speech", text=text, language=language, voice=voice))

    def callback(self, ask: Ask, done: Callable[[tuple[Exchange, ...]], object]) -> None:
        """Send a request whose answer nobody waits for, a few times if need be; it never fails.

        done: told of all tries at the end, in the courier's thread.
        """
        number = next(self._callback_numbers)
        with self._callback_lock:
            self._callbacks[number] = _Callback(ask, done)
        self._give(number)

    def over(self, call_sid: str) -> None:
        """The call has ended: its cookies go."""
        # A courier that is away has no cookies any more.
        with suppress(HelperAway):
            self._send({"id": None, "ask": "over", "call_sid": call_sid})

    def taken(self, answer: dict[str, Any]) -> bool:
        if "called_back" not in answer:
            return False
        exchanges = exchanges_of(answer["exchanges"])
        self._finish(answer["called_back"], exchanges, answer.get("error", ""))
        return True

    def failure(self, answer: dict[str, Any]) -> Exception | None:
        return failure_of(answer["failed"]) if "failed" in answer else super().failure(answer)

    def started(self) -> None:
        """What the courier before this one took with it is begun again."""
        with self._callback_lock:
            owed = list(self._callbacks)
        for number in owed:
            self._give(number)

    def _errand(self, about: str, seconds: float, **request: Any) -> Any:
        try:
            return self._ask(seconds, **request)
        except HelperAway as error:
            text = f"Nothing can be fetched at this moment: {error}."
            raise ErrandFailed(codes.INTERNAL, text, shown(about)) from None

    def _give(self, number: int) -> None:
        with self._callback_lock:
            owed = self._callbacks.get(number)
        if owed is None:
            return
        if owed.tries >= CALLBACK_TRIES:
            self._finish(number, (), "The courier ended while it was under way.")
            return
        # One that is away gets it when it is back.
        with suppress(HelperAway):
            self._send({"id": number, "ask": "callback", "errand": asdict(owed.ask)})
            owed.tries += 1

    def _finish(self, number: int, exchanges: tuple[Exchange, ...], error: str) -> None:
        with self._callback_lock:
            owed = self._callbacks.pop(number, None)
        if owed is None:
            return
        if error:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            ask = owed.ask
            told = shown_parameters(ask.parameters)
            exchanges += (Exchange(ask.method, shown(ask.url), told, at, 0.0, error=error),)
        try:
            owed.done(exchanges)
        except Exception:
            # The thread that reads answers must go on.
            log.exception("the end of a callback of call=%s was not taken", owed.ask.call_sid)
