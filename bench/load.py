"""One load against one server: sipp signals, peer.c speaks and stamps, /proc tells the cost."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.servers import HOST, MAILBOX, Server

SIGNALS = ("127.0.0.2", 25060)
AUDIO = ("127.0.0.3", 40000)
# A call goes on for so long after the last one began: its greeting, then the time in which the cost is measured.
GREETING_SECONDS = 9.0
STEADY_SECONDS = 10.0
RAMP_SECONDS = 12.0
SLOWEST_RAMP = 20
SETTLE_SECONDS = 2.0
ATTEMPTS = 3
DISTURBED_MS = 9.0
_LOG = re.compile(r'ended_by="(?P<end>[^"]*)".* received=(?P<received>\d+) lost=(?P<lost>\d+)')


@dataclass(frozen=True)
class Figures:
    """What a load gave. ms, percent, CPU in ms per call and second, memory in kB per call."""

    calls: int
    answered: int
    in_pace: float
    longest_ms: float
    lost_by_us: int
    lost_by_peer: int
    ok_p50: float
    ok_p99: float
    cpu: float
    cpu_keeper: float
    memory: float
    peer_behind_ms: float


@dataclass(frozen=True)
class Cost:
    """CPU seconds of each process and resident kB of the first, at a moment."""

    at: float
    cpu: dict[str, float]
    memory: int


def on_core(core: int | None) -> list[str]:
    """Words before a command that pin it to a core (None: to none), at real-time priority where that is allowed."""
    can_pin = core is not None and (os.cpu_count() or 1) > 1 and shutil.which("taskset")
    words = ["taskset", "-c", str(core)] if can_pin else []
    real_time = ["chrt", "-r", "20"]
    allowed = (
        shutil.which("chrt") and subprocess.run([*real_time, "true"], capture_output=True, check=False).returncode == 0
    )
    return [*real_time, *words] if allowed else words


def compile_peer(folder: Path) -> Path:
    """peer.c as a program."""
    program = folder / "peer"
    source = Path(__file__).with_name("peer.c")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", str(program), str(source)], check=True)
    return program


def run(
    server: Server,
    calls: int,
    folder: Path,
    peer: Path,
    speech: Path,
    beside: Callable[[], None] | None = None,
    seconds: float = STEADY_SECONDS,
) -> Figures:
    """`calls` at a time, begun one after the other within RAMP_SECONDS and ended in the same order.

    beside: called when all of them record; it returns at once. seconds: for which the cost is measured.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rate = max(SLOWEST_RAMP, round(calls / RAMP_SECONDS))
    ramp = calls / rate
    hold = ramp + GREETING_SECONDS + seconds + SETTLE_SECONDS
    idle = _cost(server)
    speaking = speaker(peer, speech, hold + ramp + 60)
    try:
        calling = caller(server.port, calls, rate, hold, folder)
        try:
            time.sleep(ramp + GREETING_SECONDS)
            if beside:
                beside()
            begin = _cost(server)
            time.sleep(seconds)
            end = _cost(server)
            calling.wait(hold + 60)
        finally:
            calling.kill()
        time.sleep(1.0)
    finally:
        speaking.terminate()
    heard = json.loads(speaking.communicate(timeout=10)[0])
    return _figures(calls, heard, (idle, begin, end), answer_times(folder), losses(server.log))


def speaker(peer: Path, speech: Path, seconds: float, core: int | None = 1) -> subprocess.Popen[str]:
    """peer.c, which speaks and listens for all callers and prints what it heard when it is terminated."""
    command = [*on_core(core), str(peer), AUDIO[0], str(AUDIO[1]), str(seconds), str(speech)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def caller(
    port: int, calls: int, rate: int, hold: float, folder: Path, own_port: int = SIGNALS[1], core: int | None = 1
) -> subprocess.Popen[bytes]:
    """sipp, which places `calls`, `rate` a second, each for `hold` seconds."""
    scenario = Path(__file__).with_name("sipp") / "load.xml"
    command = [
        *on_core(core), "sipp", f"{HOST}:{port}", "-i", SIGNALS[0], "-p", str(own_port), "-sf", str(scenario),
        "-s", MAILBOX, "-m", str(calls), "-l", str(calls + 50), "-r", str(rate), "-rp", "1000",
        "-d", str(round(hold * 1000)), "-trace_rtt", "-rtt_freq", "1", "-nostdin", "-recv_timeout", "20000",
    ]  # fmt: skip
    with (folder / "sipp.out").open("wb") as out:
        return subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)


def _cost(server: Server) -> Cost:
    processes = server.processes()
    status = Path(f"/proc/{processes['worker']}/status").read_text()
    memory = int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]
    return Cost(time.monotonic(), {name: cpu_seconds(pid) for name, pid in processes.items()}, memory)


def cpu_seconds(pid: int) -> float:
    """On-CPU time of all threads in nanoseconds, finer than the ticks of /proc/PID/stat."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (OSError, IndexError):
            continue  # the thread has just ended
    return total / 1e9


def answer_times(folder: Path) -> list[float]:
    """INVITE to 200 OK of each call, ms, sorted."""
    times: list[float] = []
    for file in folder.glob("*rtt*.csv"):
        with file.open(newline="") as lines:
            times += [float(row[1]) for row in csv.reader(lines, delimiter=";") if len(row) > 1 and _is_number(row[1])]
    return sorted(times)


def _is_number(text: str) -> bool:
    return text.strip().replace(".", "", 1).isdigit()


def losses(log: Path) -> int:
    """Packets that calls missed, as their log lines tell."""
    return sum(int(found["lost"]) for found in map(_LOG.search, log.read_text(errors="replace").splitlines()) if found)


def _figures(
    calls: int, heard: dict[str, float], costs: tuple[Cost, Cost, Cost], times: list[float], lost: int
) -> Figures:
    idle, begin, end = costs
    call_seconds = (end.at - begin.at) * calls

    def spent(name: str) -> float:
        return (end.cpu.get(name, 0.0) - begin.cpu.get(name, 0.0)) * 1000 / call_seconds

    return Figures(
        calls=calls,
        answered=len(times),
        in_pace=100 * heard["in_pace"] / max(1, heard["intervals"]),
        longest_ms=heard["longest_ms"],
        lost_by_us=lost,
        lost_by_peer=int(heard["lost"]),
        ok_p50=percentile(times, 50),
        ok_p99=percentile(times, 99),
        cpu=spent("worker"),
        cpu_keeper=spent("keeper"),
        memory=(end.memory - idle.memory) / calls,
        peer_behind_ms=heard["behind_ms"],
    )


def percentile(values: list[float], percent: float) -> float:
    """The value that `percent` of the sorted values do not exceed; NaN where there is none."""
    if not values:
        return float("nan")
    return values[min(len(values) - 1, int(len(values) * percent / 100))]
