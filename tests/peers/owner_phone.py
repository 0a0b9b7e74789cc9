"""An owner with baresip: listens until a sentence was said, presses keys, speaks when it is time."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.peers.baresip import Baresip
from tests.peers.instance import HOST
from tests.peers.speech import likeness, place_of, samples
from tests.support import free_port, until
from voice.flows.keys import Do, Key, Menu, without
from voice.media.g711 import Law
from voice.prompts import Prompts
from voice.speech import Speech, speech_of

RATE = 8000
WAV_HEADER = 44
ALIKE = 0.8
LAW = Law.PCMU
ACCOUNT = '"Alice" <sip:{number}@{host}:{port}>;regint=0;audio_codecs=PCMU/8000/1;dtmfmode=rtpevent\n'


class OwnerPhone:
    """The phone of an extension, as one conversation goes. prompts: those that are to be heard."""

    def __init__(self, folder: Path, number: str, language: str, prompts: Prompts) -> None:
        account = ACCOUNT.format(number=number, host=HOST, port=free_port())
        self._folder, self._language, self._prompts = folder, language, prompts
        self._baresip = Baresip(folder, bytes(2 * RATE * 600), account=account)
        self._place = 0
        self.speech: Speech = speech_of(language)

    def __enter__(self) -> OwnerPhone:
        return self

    def __exit__(self, *_: object) -> None:
        self._baresip.quit()

    def dial(self, target: str, port: int) -> None:
        """Call a number at the voice worker, and be answered."""
        self._baresip.command("dial", f"sip:{target}@{HOST}:{port}")
        self._baresip.wait("CALL_ESTABLISHED")

    def hears(self, *names: str) -> None:
        """Wait until these prompts were said, behind what was waited for before; AssertionError where they are not."""
        self.hears_sound(self._prompts.say(names, self._language, LAW), ", ".join(names))

    def hears_tone(self, name: str) -> None:
        """Wait for a tone."""
        self.hears_sound(self._prompts.tone(name, LAW), name)

    def hears_menu(self, menu: Menu, *hidden: Do) -> None:
        """Wait until all options of a menu were said."""
        offered: list[Key] = [key for key in without(menu, *hidden) if key.option]
        self.hears(*(name for key in offered for name in self.speech.option(key.option, key.key)))

    def hears_sound(self, payload: bytes, what: str = "a sound") -> None:
        """Wait until this was heard."""
        known = samples(payload, LAW)

        def heard() -> bool:
            tail = self._heard()[self._place :]
            if len(tail) < len(known) or likeness(tail, known) < ALIKE:
                return False
            self._place += place_of(tail, known) + len(known)
            return True

        seconds = len(known) / RATE
        # To look is to read the whole recording: it is not done more often than packets come.
        until(lambda: len(self._heard()) - self._place >= len(known), seconds + 10, f"as much as {what}", every=0.05)
        until(heard, 12, f"{self._language}: {what}\n{self._baresip.text()}", every=0.05)

    def presses(self, keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            self._baresip.command("sndcode", key)

    def says(self, pcm16: bytes) -> None:
        """Speak, then be silent: 16-bit samples."""
        path = self._folder / "spoken.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(pcm16 + bytes(2 * RATE * 600))
        self._baresip.command("ausrc", f"aufile,{path}")

    def is_hung_up_on(self) -> None:
        """Wait until the other side ended the call."""
        self._baresip.wait("CALL_CLOSED", 20)

    def keep(self, path: Path) -> Path:
        """Keep what was heard, to be listened to; the path."""
        self._baresip.quit()
        (dump,) = self._folder.glob("dump-*-dec.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(dump, path)
        return path

    def _heard(self) -> NDArray[np.float64]:
        """All that was heard so far, also while the file is being written."""
        dumps = list(self._folder.glob("dump-*-dec.wav"))
        if not dumps:
            return np.zeros(0)
        data = dumps[0].read_bytes()[WAV_HEADER:]
        return np.frombuffer(data[: len(data) & ~1], "<i2").astype(np.float64)
