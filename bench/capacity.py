"""How many calls one core carries, what each costs, and the same for plain pyVoIP: the part `load`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path

from bench import exact, load, servers
from bench.load import Figures
from bench.table import show
from bench.verdict import Line
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

PORT = 15070
SIZES = (100, 300, 450, 600, 750, 900, 1050)
PLAIN_SIZES = (50, 75, 100)
COMPARED = 100
MUST_HOLD = 600
MUST_TIMES = 8
MANY = 600
ANSWERED_AT = 300
IN_PACE = 99.9
# Loads of one size in which the machine stood still before no more is tried.
DISTURBED_TRIES = 8
# CPU a call second at 100 calls on the machine of the promise: plain pyVoIP's, and that of the engine's prototype, to
# which Asterisk's 2.2 ms belong. On a slower machine all cost more; what counts is one beside the other.
PLAIN_CPU_MS = 6.9
PROTOTYPE_CPU_MS = 0.96


@dataclass(frozen=True)
class Searched:
    """Every load that was run, and the largest number of calls that held.

    undecided: the size of which no load counted, since the machine stood still in each (0: there was none).
    """

    loads: list[Figures]
    held: int
    undecided: int = 0

    def most(self, enough: float) -> float:
        """The largest number of calls that held; nan where that is not enough, and it was not found out for more."""
        return nan if self.undecided and self.held < enough else self.held

    def at(self, calls: int) -> Figures | None:
        """The best load of this size."""
        return max((one for one in self.loads if one.calls == calls), key=lambda one: one.in_pace, default=None)

    def costs_up_to(self, calls: int) -> list[float]:
        """CPU in ms of a call and a second, for each size up to this one: the least of its loads."""
        costs: dict[int, float] = {}
        for one in self.loads:
            if one.calls <= calls:
                costs[one.calls] = min(costs.get(one.calls, inf), one.cpu + one.cpu_keeper)
        return list(costs.values())


def measure(folder: Path, sizes: Sequence[int] = SIZES) -> list[Line]:
    """Both searches, ours over these sizes; what they say of the promises."""
    folder.mkdir(parents=True)
    speech = g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU)
    prompt = g711.encode(wav.read_prompt(BUILT_IN / "en" / "greeting_default.wav"), Law.PCMU)
    (folder / "speech.ulaw").write_bytes(speech)
    (folder / "prompt.ulaw").write_bytes(prompt)
    peer, core = load.compile_peer(folder), load.on_core(0)
    recordings: list[exact.Exactness] = []

    def ours(calls: int, place: Path) -> Figures:
        with servers.voice_worker(place / "instance", PORT, core) as server:
            figures = load.run(server, calls, place, peer, folder / "speech.ulaw")
        assert server.settings is not None
        if not figures.lost_by_us:
            recordings.append(exact.check(server.settings.spool_dir, speech))
        return figures

    def plain(calls: int, place: Path) -> Figures:
        with servers.naive(place, PORT, core, load.SIGNALS, folder / "prompt.ulaw") as server:
            return load.run(server, calls, place, peer, folder / "speech.ulaw")

    mine = search(ours, sizes, folder / "ours", twice=MANY)
    others = search(plain, PLAIN_SIZES, folder / "plain", always=COMPARED)
    _show(mine, others)
    return _lines(mine, others, recordings)


def search(
    run: Callable[[int, Path], Figures], sizes: Sequence[int], folder: Path, always: int = 0, twice: int = 0
) -> Searched:
    """Run each size in turn up to the first that fails twice, and then the size `always` in any case.

    A load that failed while the measuring side itself was late says nothing and is run again, up to DISTURBED_TRIES
    of a size.
    twice: sizes up to this one are run once more when they have held, for what they cost.
    """
    loads: list[Figures] = []

    def one(calls: int, name: str) -> Figures:
        loads.append(run(calls, folder / f"{calls}-{name}"))
        figures = loads[-1]
        word = "held" if holds(figures) else "the machine stood still" if is_disturbed(figures) else "failed"
        print(f"  {calls} calls: {word}", file=sys.stderr, flush=True)
        return figures

    held = undecided = 0
    for calls in sizes:
        failures = disturbed = 0
        while held != calls and failures < 2 and disturbed < DISTURBED_TRIES:
            figures = one(calls, f"{failures + disturbed}")
            if holds(figures):
                held = calls
            elif is_disturbed(figures):
                disturbed += 1
            else:
                failures += 1
        if held != calls:
            undecided = calls if failures < 2 else 0
            break
        if calls <= twice:
            one(calls, "again")
    if always and not any(figures.calls == always for figures in loads):
        one(always, "compared")
    return Searched(loads, held, undecided)


def holds(figures: Figures) -> bool:
    """All answered, their packets in pace, and none that was received lost."""
    return figures.answered == figures.calls and figures.in_pace >= IN_PACE and not figures.lost_by_us


def is_disturbed(figures: Figures) -> bool:
    """The machine stood still: who measures was late."""
    return figures.peer_behind_ms >= load.DISTURBED_MS


def _lines(mine: Searched, others: Searched, recordings: list[exact.Exactness]) -> list[Line]:
    plain, many, answered = others.at(COMPARED), mine.at(MANY), mine.at(ANSWERED_AT)
    # A machine on which plain pyVoIP costs more than on that of the promise is a slower one.
    scale = min(1.0, PLAIN_CPU_MS / plain.cpu) if plain and plain.cpu else 1.0
    # Whatever else the machine does can only add to it.
    cost = max(mine.costs_up_to(MANY), default=nan) * scale
    times = mine.most(MUST_TIMES * others.held) / max(1, others.most(PLAIN_SIZES[0]))
    inexact = sum(one.recordings - one.exact for one in recordings)
    return [
        Line("calls on one core in pace, none received lost", mine.most(MUST_HOLD), MUST_HOLD, 900, more=True),
        Line(f"CPU a call second, at most, at {COMPARED} to {MANY} calls", cost, 1.0, 0.6, "ms"),
        Line("the same as a ratio to the prototype's", cost / PROTOTYPE_CPU_MS, 1.0, 0.6),
        Line("memory a call", many.memory if many else nan, 64, 45, "kB"),
        Line(f"INVITE to 200 OK at {ANSWERED_AT} calls, p99", answered.ok_p99 if answered else nan, 20, 5, "ms"),
        Line("times the calls of plain pyVoIP", times, MUST_TIMES, 12, more=True),
        Line("recordings that are not what was sent, bit for bit", inexact, 0),
    ]


def _show(mine: Searched, others: Searched) -> None:
    rows = [_row("ours", one) for one in mine.loads] + [_row("plain pyVoIP", one) for one in others.loads]
    at, plain = mine.at(COMPARED), others.at(COMPARED)
    if at and plain:
        rows.append(
            ["plain / ours", str(COMPARED), *[""] * 7, f"{plain.cpu / (at.cpu + at.cpu_keeper):.1f}x",
             f"{plain.memory / at.memory:.1f}x", "", ""]
        )  # fmt: skip
    show(
        "One voice worker on one core: greeting, then recording with speech detection",
        ["", "calls", "answered", "in pace %", "longest ms", "lost in", "lost out", "200 p50 ms", "200 p99 ms",
         "CPU ms/call s", "kB a call", "peer late ms", "held"],
        rows,
    )  # fmt: skip


def _row(name: str, figures: Figures) -> list[str]:
    keeper = f" (keeper {figures.cpu_keeper:.2f})" if name == "ours" else ""
    return [
        name + keeper, str(figures.calls), str(figures.answered), f"{figures.in_pace:.3f}", f"{figures.longest_ms:.0f}",
        str(figures.lost_by_us) if name == "ours" else "", str(figures.lost_by_peer), f"{figures.ok_p50:.1f}",
        f"{figures.ok_p99:.1f}", f"{figures.cpu + figures.cpu_keeper:.2f}", f"{figures.memory:.0f}",
        f"{figures.peer_behind_ms:.0f}", "yes" if holds(figures) else "no",
    ]  # fmt: skip
