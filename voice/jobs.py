"""Jobs of the voice side, run by RQ on the host of the voice worker; app/jobs/queue.py asks for them by name."""

from __future__ import annotations

import time
from typing import Any

from app.config import Settings, SettingsError, load_settings
from voice.caller import Caller, CallFailed
from voice.media import tones
from voice.media.g711 import Law
from voice.prompts import Prompts
from voice.sip.address import WILDCARDS

GREETING_SECONDS = 60.0
BEEP_SECONDS = 10.0
CONFIRMATION_SECONDS = 8.0
LOOPBACK = "127.0.0.1"


def place_test_call(extension: str, language: str) -> dict[str, Any]:
    """Leave a spoken message in a mailbox by a real call to this host's voice worker.

    {"ok": whether the confirmation tone was heard, "detail": a sentence for people, "seconds": how long it took}.
    """
    began = time.monotonic()
    try:
        detail, ok = leave_test_message(load_settings(), extension, language), True
    except (CallFailed, SettingsError) as error:
        detail, ok = f"The test call did not work. {error}", False
    return {"ok": ok, "detail": detail, "seconds": round(time.monotonic() - began, 1)}


def simulate_call(wanted: dict[str, Any]) -> dict[str, Any]:
    """Run a number's documents with a scripted caller, see voice/twiml/simulation.py; its trace says how it went.

    {"ok": whether it was run, "detail": a sentence for people where it was not}.
    """
    # Not for a test call: it takes its time.
    from voice.twiml import simulation

    try:
        simulation.simulate(load_settings(), simulation.wanted_of(wanted))
    except (simulation.NoSuchNumber, SettingsError) as error:
        return {"ok": False, "detail": str(error)}
    return {"ok": True, "detail": ""}


def leave_test_message(settings: Settings, extension: str, language: str) -> str:
    """The test call; what was done as a sentence. CallFailed."""
    host = LOOPBACK if settings.sip.host in WILDCARDS else settings.sip.host
    speech = Prompts(settings.language, settings.sounds_dir).prompt("test_message", language, Law.PCMU)
    with Caller(host, settings.sip.port) as caller:
        caller.dial(extension, Law.PCMU)
        _wait_for_beep(caller)
        caller.speak(speech)
        caller.press("#")
        for hertz in tones.CONFIRMATION_HZ:
            caller.wait_tone(hertz, CONFIRMATION_SECONDS)
        caller.wait(lambda: caller.ended, CONFIRMATION_SECONDS)
        caller.hang_up()
    return f"A message of {len(speech) / 8000:.0f} seconds was left in mailbox {extension}."


def _wait_for_beep(caller: Caller) -> None:
    try:
        caller.wait_tone(tones.BEEP_HZ, GREETING_SECONDS, to_its_end=True)
    except CallFailed:
        if caller.ended:
            raise
        # The greeting is a long one; the key skips the rest of it.
        caller.press("#")
        caller.wait_tone(tones.BEEP_HZ, BEEP_SECONDS, to_its_end=True)
