"""How soon a key is heeded beside many calls: from `#` in the greeting until that stops, and until the tone sounds."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path

from bench import load, servers
from bench.capacity import PORT
from bench.load import percentile
from bench.servers import HOST, MAILBOX
from bench.table import show
from bench.tail import Stamped
from bench.verdict import Line
from voice.caller import Caller
from voice.media import g711, tones, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

CALLS = 300
KEYS = 100
AT_A_TIME = 5
GREETED_SECONDS = 0.5
MATCHED = 10
PATIENCE_SECONDS = 10.0


def measure(folder: Path) -> list[Line]:
    """The part `keys`."""
    folder.mkdir(parents=True)
    speech = g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU)
    (folder / "speech.ulaw").write_bytes(speech)
    peer = load.compile_peer(folder)
    waits: list[tuple[float, float]] = []
    with servers.voice_worker(folder / "instance", PORT, load.on_core(0)) as server:
        pressing = threading.Thread(target=lambda: waits.extend(_press(server.port)))
        figures = load.run(server, CALLS, folder / "load", peer, folder / "speech.ulaw", beside=pressing.start)
        pressing.join()
    stops, starts = (sorted(wait[which] for wait in waits) for which in (0, 1))
    show(
        f"From a key in the greeting, beside {figures.answered} calls",
        ["until", "keys", "p50 ms", "p99 ms", "longest ms"],
        [
            [what, str(len(times)), *(f"{percentile(times, share):.0f}" for share in (50, 99, 100))]
            for what, times in (("the greeting stops", stops), ("the tone sounds", starts))
        ],
    )
    return [
        Line(f"a key until the greeting stops at {CALLS} calls, p99", percentile(stops, 99), 100, 60, unit="ms"),
        Line("the same until the tone, with the sidecar on disk", percentile(starts, 99), None, 100, unit="ms"),
    ]


def _press(port: int) -> list[tuple[float, float]]:
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        # What this process does only once is not what a caller waits for.
        return list(pool.map(lambda _: _call(port), range(AT_A_TIME + KEYS)))[AT_A_TIME:]


def _call(port: int) -> tuple[float, float]:
    """One call: milliseconds. The key leaves with the phone's next packet, up to 20 ms after it was pressed."""
    greeting = _frames(g711.encode(wav.read_prompt(BUILT_IN / "en" / "greeting_default.wav"), Law.PCMU))
    first = set(_frames(g711.encode(tones.beep(), Law.PCMU))[:10])
    with Caller(HOST, port) as caller:
        caller.dial(MAILBOX, Law.PCMU)
        heard = caller.audio.frames = Stamped()
        caller.listen(GREETED_SECONDS)
        pressed, place = time.monotonic(), len(heard)
        caller.audio.press("#")
        if not caller.wait(lambda: any(frame in first for frame in heard[place:]), PATIENCE_SECONDS):
            print(f"no tone within {PATIENCE_SECONDS} s in call {caller.call_id}")
            return inf, inf
        tone = next(number for number in range(place, len(heard)) if heard[number] in first)
        # Where in the greeting it was; what comes next is what would have come without the key, or not.
        began = next(at for at in range(len(greeting)) if greeting[at : at + MATCHED] == heard[place - MATCHED : place])
        follow = greeting[began + MATCHED :]
        stop = next(number for number in range(place, len(heard)) if heard[number] != follow[number - place])
        caller.hang_up()
    return (heard.times[stop] - pressed) * 1000, (heard.times[tone] - pressed) * 1000


def _frames(payload: bytes) -> list[bytes]:
    return [payload[start : start + 160] for start in range(0, len(payload), 160)]
