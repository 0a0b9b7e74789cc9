"""`make soak`: calls of every kind for an hour, after which the voice worker is to be as it was before.

python -m bench.soak [--seconds 3600] [--calls 20]

Calls come in rounds. After each, when the last call is over, the memory, threads, open files and sockets of the worker
and its keeper are noted: from the first round on, which warms up, they are to stay flat. Ends with code 1 where they
do not.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import servers
from bench.servers import HOST, MAILBOX, Server
from bench.table import show
from bench.verdict import Line, show_verdicts
from voice.caller import Caller, CallFailed
from voice.media import g711, tones, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

PORT = 15072
ROUND_SECONDS = 300.0
LEAST_ROUNDS = 3
PATIENCE_SECONDS = 12.0
# The worker collects its garbage between calls with a heartbeat, every 5 s.
SETTLE_SECONDS = 6.0
IDLE_SECONDS = 30.0
# 64*T1 and some more: until then the transactions of the last calls are to be kept.
LAST_TRANSACTION_SECONDS = 40.0
WORKER_GROWTH_KB = 12_000
KEEPER_GROWTH_KB = 24_000
KEEPER_THREADS = 4
FAILED = "calls that failed"
_LEFT = re.compile(r"draining calls=(\d+) dialogs=(\d+) transactions=(\d+)")


@dataclass(frozen=True)
class Use:
    """What a process holds: resident kB, threads, open files, sockets among them."""

    memory: int
    threads: int
    files: int
    sockets: int

    @classmethod
    def of(cls, pid: int) -> Use:
        """Of a process, now."""
        status = Path(f"/proc/{pid}/status").read_text()
        links = []
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                links.append(str(link.readlink()))
            except FileNotFoundError:
                continue  # closed meanwhile
        memory, threads = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "Threads"))  # type: ignore[index]
        return cls(memory, threads, len(links), sum(link.startswith("socket:") for link in links))


@dataclass(frozen=True)
class Round:
    """Calls so far, those that failed, and what is held once all are over."""

    calls: int
    failed: int
    worker: Use
    keeper: Use


@dataclass(frozen=True)
class Soaked:
    """All rounds; dialogs and transactions that were left at the end; faults in the log."""

    rounds: list[Round]
    dialogs: int
    transactions: int
    faults: int


class Load:
    """Keeps `calls` calls going, each of another kind than the one before."""

    def __init__(self, port: int, calls: int) -> None:
        self._port, self._calls = port, calls
        self._speech = g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU)
        self._kinds = (self._key, self._hang_up, self._early, self._cancel, self._repeated, self._silent)
        self._lock = threading.Lock()
        self.begun = self.failed = 0

    def run(self, seconds: float) -> None:
        """One round; returns when the last call is over."""
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._one_after_another, args=(end,)) for _ in range(self._calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _one_after_another(self, end: float) -> None:
        while time.monotonic() < end:
            with self._lock:
                number, self.begun = self.begun, self.begun + 1
            try:
                with Caller(HOST, self._port, number=str(1000 + number)) as caller:
                    self._kinds[number % len(self._kinds)](caller)
            except CallFailed:
                with self._lock:
                    self.failed += 1

    def _to_the_beep(self, caller: Caller) -> None:
        caller.dial(MAILBOX, Law.PCMU)
        caller.press("#")
        caller.wait_tone(tones.BEEP_HZ, PATIENCE_SECONDS, to_its_end=True)

    def _key(self, caller: Caller) -> None:
        self._to_the_beep(caller)
        caller.speak(self._speech[:16000])
        caller.press("#")
        caller.wait(lambda: caller.ended, PATIENCE_SECONDS)

    def _hang_up(self, caller: Caller) -> None:
        self._to_the_beep(caller)
        caller.speak(self._speech[:12000])
        caller.hang_up()

    def _early(self, caller: Caller) -> None:
        caller.dial(MAILBOX)
        caller.press("12*")
        caller.hang_up()

    def _cancel(self, caller: Caller) -> None:
        caller.invite(MAILBOX)
        # Where the answer was faster, it is hung up.
        caller.cancel()
        caller.hang_up()

    def _repeated(self, caller: Caller) -> None:
        caller.invite(MAILBOX)
        # A bad line, which no caller offers by itself.
        invite = caller.signalling._repeated
        for _ in range(3):
            caller.signalling.socket.send(invite)
        caller.wait(lambda: caller.signalling.final is not None, PATIENCE_SECONDS)
        caller.signalling.socket.send(invite)
        caller.hang_up()

    def _silent(self, caller: Caller) -> None:
        self._to_the_beep(caller)
        caller.listen(1.0)
        caller.hang_up()


def run(
    folder: Path,
    seconds: float,
    calls: int,
    port: int = PORT,
    on_round: Callable[[Round], None] = lambda _round: None,
    **variables: str,
) -> Soaked:
    """Soak a new voice worker in `folder` with `calls` calls at a time.

    on_round: told each round when it is over; variables: further settings.
    """
    rounds: list[Round] = []
    count = max(LEAST_ROUNDS, round(seconds / ROUND_SECONDS))
    with servers.voice_worker(folder, port, [], **variables) as server:
        load = Load(server.port, calls)
        for number in range(count):
            load.run(seconds / count)
            if number in (0, count - 1):
                # What all others are compared with, and what is left at the end.
                time.sleep(SETTLE_SECONDS)
            rounds.append(_idle(server, load, rounds))
            on_round(rounds[-1])
        time.sleep(LAST_TRANSACTION_SECONDS)
    log = server.log.read_text(errors="replace")
    left = _LEFT.search(log)
    _, dialogs, transactions = map(int, left.groups()) if left else (-1, -1, -1)
    return Soaked(rounds, dialogs, transactions, log.count("Traceback") + (left is None))


def _idle(server: Server, load: Load, before: list[Round]) -> Round:
    """What is held once the calls are over and what they left is collected; waited for as long as it is too much."""
    processes = server.processes()
    deadline = time.monotonic() + IDLE_SECONDS
    while True:
        now = Round(load.begun, load.failed, Use.of(processes["worker"]), Use.of(processes["keeper"]))
        if not before or time.monotonic() > deadline or _has_settled(now.worker, before[0].worker):
            return now
        time.sleep(0.5)


def _has_settled(now: Use, first: Use) -> bool:
    return now.threads <= first.threads and now.files <= first.files and now.memory - first.memory <= WORKER_GROWTH_KB


def lines(soaked: Soaked) -> list[Line]:
    """The first round beside the last."""
    first, last = soaked.rounds[0], soaked.rounds[-1]

    def grown(of: Callable[[Round], int]) -> int:
        return of(last) - of(first)

    return [
        Line("growth of the worker's memory", grown(lambda one: one.worker.memory), WORKER_GROWTH_KB, unit="kB"),
        Line("growth of the keeper's memory", grown(lambda one: one.keeper.memory), KEEPER_GROWTH_KB, unit="kB"),
        Line("threads more, worker", grown(lambda one: one.worker.threads), 0),
        Line("open files more, worker", grown(lambda one: one.worker.files), 0),
        Line("sockets more, worker", grown(lambda one: one.worker.sockets), 0),
        Line("threads more, keeper", grown(lambda one: one.keeper.threads), KEEPER_THREADS),
        Line("open files more, keeper", grown(lambda one: one.keeper.files), 3 * KEEPER_THREADS),
        # A caller who gave up may have left one, which ends half a minute later.
        Line("dialogs left", max(0, soaked.dialogs - last.failed), 0),
        Line("transactions left", soaked.transactions, 0),
        Line("faults in the log", soaked.faults, 0),
        Line(FAILED, 100 * last.failed / max(1, last.calls), 1, unit="%"),
    ]


def _show(rounds: list[Round]) -> None:
    show(
        "Held after each round, when its calls are over",
        ["", "calls", "failed", "worker kB", "threads", "files", "sockets", "keeper kB", "threads", "files", "sockets"],
        [["", str(one.calls), str(one.failed), *_cells(one.worker), *_cells(one.keeper)] for one in rounds],
    )
    sys.stdout.flush()


def _cells(use: Use) -> list[str]:
    return [str(use.memory), str(use.threads), str(use.files), str(use.sockets)]


def main() -> int:
    """Soak, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long calls come; default: %(default).0f")
    parser.add_argument("--calls", type=int, default=20, help="calls at a time; default: %(default)s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        soaked = run(Path(name) / "instance", arguments.seconds, arguments.calls, on_round=lambda one: _show([one]))
    _show(soaked.rounds)
    return 0 if show_verdicts(lines(soaked)) else 1


if __name__ == "__main__":
    sys.exit(main())
