"""baresip as a person's phone: what a caller hears, and what is kept of what he says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.peers.baresip import Baresip, needs_baresip
from tests.peers.instance import GREETING_SECONDS, Instance, VoiceWorker
from tests.peers.speech import likeness, samples, speech_pcm
from tests.support import until
from voice.media import tones
from voice.media.g711 import Law

pytestmark = [pytest.mark.peers, pytest.mark.slow, needs_baresip]

RATE = 8000
BEEP_SECONDS = 0.4
SPOKEN = speech_pcm(2.5, seed=21)


def after(seconds: float, said: bytes, then: float) -> bytes:
    """Silence, what is said, silence: 16-bit samples."""
    return bytes(2 * round(seconds * RATE)) + said + bytes(2 * round(then * RATE))


def numbers(pcm16: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm16, "<i2").astype(np.float64)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_a_caller_hears_greeting_and_tones_and_is_heard(
    worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path, codec: str
) -> None:
    say = after(GREETING_SECONDS + BEEP_SECONDS + 0.5, SPOKEN, 12)
    with Baresip(tmp_path / "phone", say, codec) as phone:
        phone.command("dial", f"sip:{mailbox}@{worker.host}:{worker.port}")
        phone.wait("CALL_ESTABLISHED")
        # He says his piece and waits: the silence ends the recording, and then the call.
        phone.wait("CALL_CLOSED", 25)
    heard = phone.heard()
    assert likeness(heard, numbers(instance.greeting)) > 0.9
    assert likeness(heard, numbers(tones.beep())) > 0.9
    # The phone drops what its jitter buffer still holds when our BYE comes.
    assert likeness(heard, numbers(tones.confirmation())) > 0.8
    assert _order(heard, instance) == ["greeting", "beep", "confirmation"]
    message = instance.message(mailbox)
    assert (message.state, message.caller_number, message.caller_name) == ("new", "2003", "Carol")
    assert likeness(samples(instance.spooled(message), Law[codec]), numbers(SPOKEN)) > 0.9
    assert worker.call_line(message.call_id)["ended_by"] == "silence"


def test_a_key_ends_the_recording(worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path) -> None:
    say = after(GREETING_SECONDS + BEEP_SECONDS + 0.3, speech_pcm(20, seed=22), 10)
    with Baresip(tmp_path / "phone", say) as phone:
        phone.command("dial", f"sip:{mailbox}@{worker.host}:{worker.port}")
        phone.wait("CALL_ESTABLISHED")
        until(lambda: _recording(instance, 16000), 15, "two seconds of a recording in the spool")
        phone.command("sndcode", "#")
        phone.wait("CALL_CLOSED")
    message = instance.message(mailbox)
    assert message.duration < 15
    assert worker.call_line(message.call_id)["ended_by"] == "key"


def _recording(instance: Instance, size: int) -> bool:
    """Whether a take is being written that has so many bytes already."""
    spool = instance.settings.spool_dir
    return any(
        '"recording"' in path.read_text() and (wav := path.with_suffix(".wav")).exists() and wav.stat().st_size > size
        for path in spool.glob("*.json")
    )


def _order(heard: NDArray[np.float64], instance: Instance) -> list[str]:
    """What was heard, by the place at which each sound fits best."""
    known = {
        "confirmation": numbers(tones.confirmation()),
        "beep": numbers(tones.beep()),
        "greeting": numbers(instance.greeting),
    }
    places = {name: int(np.argmax(np.abs(np.correlate(heard, sound, "valid")))) for name, sound in known.items()}
    return sorted(known, key=places.__getitem__)
