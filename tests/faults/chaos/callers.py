"""Callers who leave messages, many at a time, and what each of them knows of his."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from tests.faults.chaos.faulty import HOST
from voice.caller import Caller, CallFailed
from voice.media import g711, tones, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

FRAME = 160
SPEECH_SECONDS = (1.0, 2.0)
PATIENCE_SECONDS = 12.0
PAUSE_SECONDS = 0.5
DEAD_SECONDS = 1.5
# One in so many ends his message by hanging up, and hears no tone.
HANGS_UP = 6
LANGUAGES = ("en", "es", "fr", "ja", "zh")


@dataclass(frozen=True)
class Call:
    """A message that was said to its end. confirmed: its caller heard the tone. said: G.711 payload."""

    call_id: str
    extension: str
    number: str
    said: bytes
    confirmed: bool


class Listener(Caller):
    """A caller who gives up where he hears nothing any more, not even silence: whom he called was killed."""

    _frames, _heard_at = -1, 0.0

    @property
    def ended(self) -> bool:
        now = time.monotonic()
        if len(self.frames) > self._frames:
            self._frames, self._heard_at = len(self.frames), now
        return super().ended or now - self._heard_at > DEAD_SECONDS


class Callers:
    """Threads, each with one call after the other until stop(). failed: why calls broke off, and how often."""

    def __init__(self, port: int, extensions: list[str], seed: int, at_a_time: int) -> None:
        self._port, self._extensions, self._seed = port, extensions, seed
        self._numbers = count()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._voices = [wav.read_prompt(BUILT_IN / each / "test_message.wav") for each in LANGUAGES]
        self.calls: list[Call] = []
        self.failed: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._call_and_call, name=f"caller-{n}") for n in range(at_a_time)]

    def start(self) -> None:
        """Call from now on."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return when the last call is over."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def confirmed(self) -> int:
        """How many heard the tone so far."""
        with self._lock:
            return sum(call.confirmed for call in self.calls)

    def _call_and_call(self) -> None:
        while not self._over.is_set():
            with self._lock:
                number = next(self._numbers)
            try:
                call = self._leave(number)
            except CallFailed as error:
                with self._lock:
                    self.failed[str(error)] += 1
                self._over.wait(PAUSE_SECONDS)
            else:
                with self._lock:
                    self.calls.append(call)

    def _leave(self, number: int) -> Call:
        chance = random.Random(self._seed * 1_000_000 + number)
        extension, caller_number = chance.choice(self._extensions), f"+8150{number:08d}"
        said = self._words(chance)
        with Listener(HOST, self._port, number=caller_number, name="") as caller:
            caller.dial(extension, Law.PCMU)
            caller.press("#")
            caller.wait_tone(tones.BEEP_HZ, PATIENCE_SECONDS, to_its_end=True)
            caller.speak(said)
            if number % HANGS_UP == 0:
                caller.hang_up()
                return Call(caller.call_id, extension, caller_number, said, confirmed=False)
            caller.press("#")
            caller.wait_tone(tones.CONFIRMATION_HZ[0], PATIENCE_SECONDS)
            call = Call(caller.call_id, extension, caller_number, said, confirmed=True)
            # From here on it counts, whatever becomes of the call.
            with suppress(CallFailed):
                caller.wait(lambda: caller.ended, PATIENCE_SECONDS)
            return call

    def _words(self, chance: random.Random) -> bytes:
        """A part of a sentence that nobody else says."""
        voice = chance.choice(self._voices)
        size = 2 * FRAME * round(chance.uniform(*SPEECH_SECONDS) * 50)
        start = 2 * chance.randrange((len(voice) - size) // 2)
        return g711.encode(voice[start : start + size], Law.PCMU)
