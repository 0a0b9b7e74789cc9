"""Do two workers carry twice the calls of one, at the same price for each? The part `workers`.

The callers share the two cores, so this is less than the two can carry: `load` says what one core does. What would keep
workers from growing with cores (a lock, a database, a disk that they share) shows in what a call costs.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench import capacity, load, servers
from bench.servers import Server
from bench.table import show
from bench.verdict import Line
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

PORT = 15090
WORKERS = 2
CALLS = 400
"""Of each worker."""
ATTEMPTS = 2
RATIO_MUST, RATIO_GOOD = 1.25, 1.1


@dataclass(frozen=True)
class Carried:
    """Calls at a time, how many were answered, their packets in pace (percent), and those that were received lost.

    cpu: ms of all processes for a call and a second; behind_ms: how late the callers were.
    """

    workers: int
    calls: int
    answered: int
    in_pace: float
    longest_ms: float
    lost: int
    cpu: float
    behind_ms: float

    @property
    def holds(self) -> bool:
        """As with one worker on a core of its own (bench/capacity.py)."""
        return self.answered == self.calls and self.in_pace >= capacity.IN_PACE and not self.lost


def measure(folder: Path) -> list[Line]:
    """One worker, then two with as many calls each; what they say of the promise."""
    folder.mkdir(parents=True)
    speech = folder / "speech.ulaw"
    speech.write_bytes(g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU))
    peer = load.compile_peer(folder)
    tried: list[Carried] = []
    best: dict[int, Carried] = {}
    for workers in (1, WORKERS):
        for attempt in range(ATTEMPTS):
            place = folder / f"{workers}-{attempt}"
            with servers.voice_worker(place / "instance", PORT, load.on_core(None), workers=workers) as server:
                tried.append(_carry(server, workers, place, peer, speech))
            if tried[-1].holds:
                break
        best[workers] = max(tried[-1 - attempt :], key=lambda one: one.in_pace)
    show(
        f"One worker, and {WORKERS}, on all cores, which the callers share",
        ["", "workers", "calls", "answered", "in pace %", "longest ms", "lost in", "CPU ms/call s", "peer late ms"],
        [
            ["", str(one.workers), str(one.calls), str(one.answered), f"{one.in_pace:.3f}", f"{one.longest_ms:.0f}",
             str(one.lost), f"{one.cpu:.2f}", f"{one.behind_ms:.0f}"]
            for one in tried
        ],
    )  # fmt: skip
    many = best[WORKERS]
    # Nothing is cheaper than a call that nobody has answered.
    whole = all(one.answered == one.calls and not one.lost for one in best.values())
    ratio = many.cpu / best[1].cpu if whole else float("nan")
    return [
        Line("a call's CPU with two workers, as a ratio to one worker's", ratio, RATIO_MUST, RATIO_GOOD),
        Line(f"packets in pace of {many.calls} calls, {CALLS} with each", many.in_pace, None, 99.9, "%", more=True),
    ]


def _carry(server: Server, workers: int, folder: Path, peer: Path, speech: Path) -> Carried:
    """CALLS at a time with each worker."""
    rate = round(CALLS / load.RAMP_SECONDS)
    ramp = CALLS / rate
    hold = ramp + load.GREETING_SECONDS + load.STEADY_SECONDS + load.SETTLE_SECONDS
    speaker, callers = load.speaker(peer, speech, hold + ramp + 60, core=None), []
    try:
        for worker in range(workers):
            place = folder / str(worker)
            place.mkdir(parents=True)
            port, own_port = server.port + 2 * worker, load.SIGNALS[1] + 2 * worker
            callers.append(load.caller(port, CALLS, rate, hold, place, own_port, core=None))
        time.sleep(ramp + load.GREETING_SECONDS)
        began, before = time.monotonic(), _cpu_seconds(server)
        time.sleep(load.STEADY_SECONDS)
        spent, seconds = _cpu_seconds(server) - before, time.monotonic() - began
        for caller in callers:
            caller.wait(hold + 60)
        time.sleep(1.0)
    finally:
        for caller in callers:
            caller.kill()
        speaker.terminate()
    heard = json.loads(speaker.communicate(timeout=10)[0])
    calls = CALLS * workers
    return Carried(
        workers,
        calls,
        answered=sum(len(load.answer_times(folder / str(worker))) for worker in range(workers)),
        in_pace=100 * heard["in_pace"] / max(1, heard["intervals"]),
        longest_ms=heard["longest_ms"],
        lost=load.losses(server.log),
        cpu=1000 * spent / seconds / calls,
        behind_ms=heard["behind_ms"],
    )


def _cpu_seconds(server: Server) -> float:
    """Of the process that was started, and of all that it started."""
    total, left = 0.0, [server.process.pid]
    while left:
        pid = left.pop()
        total += load.cpu_seconds(pid)
        for task in Path(f"/proc/{pid}/task").iterdir():
            # The thread of a call may have just ended.
            with suppress(OSError):
                left += map(int, (task / "children").read_text().split())
    return total
