"""`python -m tests.fuzz --minutes M [--target NAME]`: fuzz all parsers in turn; 1 where one broke.

A parser that takes over SLOW_SECONDS of processor time for one datagram counts as broken too.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback

from tests.fuzz.mutations import OPERATIONS, Mutation, mutate
from tests.fuzz.targets import TARGETS, Target

TURN_SECONDS = 5.0
SLOW_SECONDS = 0.5
MAX_CORPUS = 2000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes the parsers.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="makes a run come again")
    parser.add_argument("--target", choices=[target.name for target in TARGETS], default=None)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if arguments.seed is None else arguments.seed
    targets = [target for target in TARGETS if arguments.target in (None, target.name)]
    print(f"seed {seed}")
    searches = [Search(target, random.Random(f"{seed}{target.name}")) for target in targets]
    end = time.monotonic() + arguments.minutes * 60
    turn = min(TURN_SECONDS, arguments.minutes * 60 / len(searches))
    while time.monotonic() < end:
        for search in searches:
            search.run(turn)
    for search in searches:
        print(
            f"{search.target.name:8} {search.inputs:9} inputs, {len(search.corpus):5} kept, "
            f"{len(search.lines):4} places reached, {len(search.broken)} broken"
        )
    return 1 if any(search.broken for search in searches) else 0


class Search:
    """One target: mutates what it keeps, and keeps what reaches lines that nothing reached before."""

    def __init__(self, target: Target, choice: random.Random) -> None:
        self.target, self._choice = target, choice
        self.corpus: list[bytes] = []
        self.lines: set[tuple[int, int]] = set()
        self.broken: dict[str, bytes] = {}
        self.inputs = 0
        for seed in target.seeds:
            self._try(seed)
        self.corpus = list(target.seeds)

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._try(self._next())

    def _next(self) -> bytes:
        pick, below = self._choice.choice, self._choice.randrange
        mutations = [
            Mutation(below(len(OPERATIONS)), below(5000), below(5000), below(256)) for _ in range(1 + below(6))
        ]
        return mutate(pick(self.corpus), mutations, self.target.words, self.corpus)

    def _try(self, data: bytes) -> None:
        self.inputs += 1
        reached: set[tuple[int, int]] = set()
        began = time.thread_time()
        try:
            if self.inputs % TRACE_EVERY:
                self.target.read(data)
            else:
                _traced(self.target, data, reached)
        except Exception as error:
            self._report(data, _place_of(error), "".join(traceback.format_exception(error)))
        spent = time.thread_time() - began
        if spent > SLOW_SECONDS:
            self._report(data, "slow", f"{spent:.1f} s of processor time\n")
        if not reached <= self.lines and len(self.corpus) < MAX_CORPUS:
            self.lines |= reached
            self.corpus.append(data)

    def _report(self, data: bytes, place: str, text: str) -> None:
        """Each place once; the input is printed as tests/fuzz/broken.py keeps it."""
        if place not in self.broken:
            self.broken[place] = data
            small = data if place == "slow" else self._shrunk(data, place)
            sys.stdout.write(f"\n{text}({self.target.name!r}, {small!r}),\n")

    def _shrunk(self, data: bytes, place: str) -> bytes:
        """What is left of an input when all that can go without mending it is gone."""
        size = len(data) // 2
        while size:
            start = 0
            while start < len(data):
                shorter = data[:start] + data[start + size :]
                if _fault(self.target, shorter) == place:
                    data = shorter
                else:
                    start += size
            size //= 2
        return data


# Tracing costs many times what parsing does, so only some inputs are looked at for where they get.
TRACE_EVERY = 8


def _traced(target: Target, data: bytes, reached: set[tuple[int, int]]) -> None:
    def on_line(frame: object, event: str, _: object) -> object:
        if event == "line":
            reached.add((id(frame.f_code), frame.f_lineno))  # type: ignore[attr-defined]
        return on_line

    def on_call(frame: object, event: str, argument: object) -> object:
        return on_line if "/voice/" in frame.f_code.co_filename else None  # type: ignore[attr-defined]

    before = sys.gettrace()
    sys.settrace(on_call)  # type: ignore[arg-type]
    try:
        target.read(data)
    finally:
        sys.settrace(before)


def _fault(target: Target, data: bytes) -> str:
    try:
        target.read(data)
    except Exception as error:
        return _place_of(error)
    return ""


def _place_of(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {last.filename}:{last.lineno}"


if __name__ == "__main__":
    sys.exit(main())
