"""100 PIN checks at once beside 300 calls: what they cost the others, and how long they take. The part `pins`."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import beside, capacity
from bench.load import percentile
from bench.servers import HOST, MAILBOX, PIN, Server
from bench.table import show
from bench.tail import Stamped
from bench.verdict import Line
from voice.caller import Caller, CallFailed
from voice.media.g711 import Law

CALLS = 300
PIN_CALLS = 100
BESIDE_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
OWN_NUMBER = "*97"
SILENCE = Law.PCMU.silence(160)


class Owners(threading.Thread):
    """Owners who log in at once. checks: seconds from the key behind the PIN until something is said."""

    def __init__(self, server: Server) -> None:
        super().__init__(name="owners", daemon=True)
        self._port = server.port
        self.checks: list[float] = []
        self.failed: list[str] = []

    def run(self) -> None:
        with ThreadPoolExecutor(PIN_CALLS) as pool:
            list(pool.map(lambda _: self._one(), range(PIN_CALLS)))

    def _one(self) -> None:
        try:
            self.checks.append(_pin_check(self._port))
        except CallFailed as error:
            self.failed.append(str(error))


def measure(folder: Path) -> list[Line]:
    """CALLS calls that record, and beside them PIN_CALLS owners who log in at once."""
    figures, owners = beside.run(folder, CALLS, Owners, BESIDE_SECONDS)
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
    what = f"in pace of {CALLS} calls beside {PIN_CALLS} PIN checks at once"
    return [
        Line(what, beside.pace_of(figures, CALLS), capacity.IN_PACE, unit="%", more=True),
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
