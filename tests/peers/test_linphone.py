"""linphonec as a person's phone: skips the greeting with a key, leaves a message and hangs up."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.peers.instance import Instance, VoiceWorker
from tests.peers.linphone import Linphone, needs_linphone
from tests.peers.speech import likeness, samples, speech_pcm
from tests.support import until

pytestmark = [pytest.mark.peers, pytest.mark.slow, needs_linphone]

RATE = 8000
GREETING = speech_pcm(20, seed=31)
SPOKEN = speech_pcm(40, seed=32)


def numbers(pcm16: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm16, "<i2").astype(np.float64)


def test_a_key_ends_the_greeting_and_a_hang_up_the_message(
    start_worker: Callable[..., VoiceWorker], tmp_path: Path
) -> None:
    instance = Instance(tmp_path / "instance")
    with wave.open(str(instance.folder / "sounds" / "en" / "greeting_default.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(GREETING)
    worker = start_worker(instance)
    extension = instance.mailbox("1001")
    begun = numbers(GREETING[: 2 * RATE])
    with Linphone(tmp_path / "phone", SPOKEN) as phone:
        phone.command(f"call sip:{extension}@{worker.host}:{worker.port};transport=udp")
        phone.wait("connected")
        until(lambda: likeness(phone.heard(), begun) > 0.9, 20, "the first second of the greeting")
        phone.command("#")
        until(lambda: _recorded(instance) > 3 * RATE, 20, "three seconds of a recording in the spool")
        phone.command("terminate")
        message = instance.message(extension)
        heard = phone.heard()
    assert likeness(heard, numbers(GREETING[-2 * RATE :])) < 0.5, "the rest of the greeting was skipped"
    assert 2.5 < message.duration < 30
    assert message.caller_number == "linphone"
    recorded = samples(instance.spooled(message))
    assert likeness(numbers(SPOKEN), recorded[RATE // 2 : RATE * 2]) > 0.9
    line = worker.call_line(message.call_id)
    assert (line["ended_by"], line["why"]) == ("hangup", "caller hung up")


def _recorded(instance: Instance) -> int:
    """Bytes of the take that is being written."""
    return max((path.stat().st_size for path in instance.settings.spool_dir.glob("*.wav")), default=0)
