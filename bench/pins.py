"""100 PIN checks at once beside 300 calls: what they cost the others, and how long they take. The part `pins`."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench import capacity, load, servers
from bench.load import percentile
from bench.servers import HOST, MAILBOX, PIN
from bench.table import show
from bench.tail import Stamped
from bench.verdict import Line
from voice.caller import Caller, CallFailed
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

CALLS = 300
PIN_CALLS = 100
BESIDE_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
OWN_NUMBER = "*97"
SILENCE = Law.PCMU.silence(160)


@dataclass
class Owners:
    """Owners who log in at once. checks: seconds from the key behind the PIN until something is said."""

    port: int
    checks: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, and return at once."""
        self.thread = threading.Thread(target=self._run, name="beside", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with ThreadPoolExecutor(PIN_CALLS) as pool:
            list(pool.map(lambda _: self._one(), range(PIN_CALLS)))

    def _one(self) -> None:
        try:
            self.checks.append(_pin_check(self.port))
        except CallFailed as error:
            self.failed.append(str(error))


def measure(folder: Path) -> list[Line]:
    """CALLS calls that record, and beside them PIN_CALLS owners who log in at once."""
    folder.mkdir(parents=True)
    speech = folder / "speech.ulaw"
    speech.write_bytes(g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU))
    peer = load.compile_peer(folder)
    for attempt in range(load.ATTEMPTS):
        place = folder / str(attempt)
        with servers.voice_worker(place / "instance", capacity.PORT, load.on_core(0)) as server:
            owners = Owners(server.port)
            figures = load.run(server, CALLS, place, peer, speech, beside=owners.start, seconds=BESIDE_SECONDS)
            assert owners.thread is not None
            owners.thread.join()
        if capacity.holds(figures) or figures.peer_behind_ms < load.DISTURBED_MS:
            break
    checks = sorted(owners.checks)
    show(
        f"{PIN_CALLS} PIN checks at once, beside {CALLS} calls",
        ["", "in pace %", "longest ms", "lost in", "PINs", "p50 s", "longest s", "failed"],
        [
            ["ours", f"{figures.in_pace:.3f}", f"{figures.longest_ms:.0f}", str(figures.lost_by_us),
             str(len(checks)), f"{percentile(checks, 50):.1f}", f"{percentile(checks, 100):.1f}",
             str(len(owners.failed))]
        ],
    )  # fmt: skip
    for sentence in sorted(set(owners.failed)):
        print(f"  failed: {sentence}")
    pace = f"in pace of {CALLS} calls beside {PIN_CALLS} PIN checks at once"
    kept = figures.in_pace if figures.answered >= CALLS and not figures.lost_by_us else 0.0
    return [
        Line(pace, kept, capacity.IN_PACE, unit="%", more=True),
        Line("owners among these who heard nothing", len(owners.failed), 0),
    ]


def _pin_check(port: int) -> float:
    """One owner: seconds from the key behind the PIN until he is told what waits."""
    with Caller(HOST, port, number=MAILBOX) as caller:
        caller.dial(OWN_NUMBER, Law.PCMU)
        heard = caller.audio.frames = Stamped()
        caller.wait(lambda: any(frame != SILENCE for frame in heard), PATIENCE_SECONDS)
        caller.press(f"{PIN}#")
        pressed, first = time.monotonic(), len(heard)
        if not caller.wait(lambda: any(frame != SILENCE for frame in heard[first:]), PATIENCE_SECONDS):
            raise CallFailed("Nothing was said after the PIN.")
        place = next(place for place in range(first, len(heard)) if heard[place] != SILENCE)
        caller.hang_up()
    return heard.times[place] - pressed
