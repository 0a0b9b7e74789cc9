"""Calls over bad lines: recordings keep their length, keys come once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.peers.instance import Instance, VoiceWorker
from tests.peers.lossy import Line, LossyRelay
from tests.peers.speech import place_of, samples, speech
from voice.caller import Caller
from voice.media import tones
from voice.media.g711 import Law

pytestmark = pytest.mark.peers

PACKET = 160
LINES = {
    "loss of 1 %": Line(lost=0.01),
    "loss of 5 %": Line(lost=0.05),
    "loss of 20 %": Line(lost=0.2),
    "reordering": Line(jitter=0.045),
    "duplicates": Line(doubled=0.3),
    "jitter of 100 ms": Line(jitter=0.1),
    "all of it": Line(lost=0.05, doubled=0.1, jitter=0.1),
}
FIRST, LAST = speech(0.6, seed=21), speech(0.6, seed=22)
SPOKEN = FIRST + speech(1.8, seed=23) + LAST


@pytest.mark.slow
def test_a_recording_keeps_its_length_on_any_line(worker: VoiceWorker, instance: Instance) -> None:
    """One call for each line, all at the same time. The key that ends each recording came through as well."""
    extensions = {name: instance.mailbox(str(7901 + number)) for number, name in enumerate(LINES)}

    def call(name: str) -> tuple[str, int]:
        with Caller(worker.host, worker.port, "2010", name) as caller:
            caller.dial(extensions[name], Law.PCMU)
            with LossyRelay(caller.audio.to, LINES[name]) as relay:
                caller.audio.to = relay.address
                caller.wait_tone(tones.BEEP_HZ, 30, to_its_end=True)
                caller.speak(SPOKEN)
                caller.press("#")
                caller.wait_tone(tones.CONFIRMATION_HZ[-1], 30)
                assert caller.wait(lambda: caller.ended, 30)
                return caller.call_id, relay.dropped

    with ThreadPoolExecutor(len(LINES)) as pool:
        calls = dict(zip(LINES, pool.map(call, LINES), strict=True))
    for name, (call_id, dropped) in calls.items():
        line = worker.call_line(call_id)
        assert line["ended_by"] == "key", name
        # Of what is dropped at either end of the call nobody knows; what is very late on a busy machine is lost too.
        assert 0.7 * dropped - 3 <= int(line["lost"]) <= dropped + 15, name
        kept = samples(instance.spooled(instance.message(extensions[name])))
        apart = place_of(kept, samples(LAST)) - place_of(kept, samples(FIRST))
        assert abs(apart - (len(SPOKEN) - len(LAST))) <= 2 * PACKET, name
