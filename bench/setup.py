"""Calls a second that one core sets up and tears down, the flow of a mailbox behind each: the part `setup`."""

from __future__ import annotations

import csv
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench import load, servers
from bench.capacity import PORT
from bench.servers import HOST, MAILBOX
from bench.table import show
from bench.verdict import Line

RATES = (50, 100, 150, 200, 250)
SECONDS = 10
PAUSE_MS = 500


@dataclass(frozen=True)
class Burst:
    """A rate over SECONDS: failed calls, requests that sipp had to repeat, INVITE to 200 OK in ms."""

    rate: int
    answered: int
    failed: int
    repeated: int
    ok_p50: float
    ok_p99: float

    @property
    def holds(self) -> bool:
        return not self.failed and not self.repeated and self.answered == self.rate * SECONDS


def measure(folder: Path) -> list[Line]:
    """Rates in turn, up to the first that fails twice."""
    bursts: list[Burst] = []
    held = 0
    for rate in RATES:
        for attempt in range(2):
            place = folder / f"{rate}-{attempt}"
            with servers.voice_worker(place / "instance", PORT, load.on_core(0)) as server:
                bursts.append(run(server.port, rate, place))
            if bursts[-1].holds:
                held = rate
                break
        if held != rate:
            break
    show(
        f"Set up and torn down on one core for {SECONDS} s: INVITE, 200, ACK, {PAUSE_MS} ms of the greeting, BYE",
        ["", "calls/s", "answered", "failed", "repeated", "200 p50 ms", "200 p99 ms"],
        [
            ["ours", str(one.rate), str(one.answered), str(one.failed), str(one.repeated), f"{one.ok_p50:.1f}",
             f"{one.ok_p99:.1f}"]
            for one in bursts
        ],
    )  # fmt: skip
    return [Line("calls a second set up and torn down, none failed", held, 100, 200, more=True)]


def run(port: int, rate: int, folder: Path) -> Burst:
    """`rate` calls a second for SECONDS."""
    scenario = Path(__file__).with_name("sipp") / "setup.xml"
    calls = rate * SECONDS
    command = [
        *load.on_core(1), "sipp", f"{HOST}:{port}", "-i", load.SIGNALS[0], "-p", str(load.SIGNALS[1]),
        "-sf", str(scenario), "-s", MAILBOX, "-m", str(calls), "-l", str(calls), "-r", str(rate), "-rp", "1000",
        "-d", str(PAUSE_MS), "-trace_rtt", "-rtt_freq", "1", "-trace_stat", "-stf", "statistics.csv",
        "-nostdin", "-recv_timeout", "10000",
    ]  # fmt: skip
    with (folder / "sipp.out").open("wb") as out:
        subprocess.run(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, timeout=SECONDS + 60, check=False)
    times = load.answer_times(folder)
    with (folder / "statistics.csv").open(newline="") as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    return Burst(
        rate=rate,
        answered=len(times),
        failed=int(last["FailedCall(C)"]),
        repeated=int(last["Retransmissions(C)"]),
        ok_p50=load.percentile(times, 50),
        ok_p99=load.percentile(times, 99),
    )
