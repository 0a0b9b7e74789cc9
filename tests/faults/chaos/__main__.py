"""`make chaos`: rounds of faults while calls come in, each counted at its end, until the time is over.

python -m tests.faults.chaos [--minutes 30] [--seed 1] [--messages 300]

Ends with code 1, the seed, the timeline and the ends of all logs where a promise was not kept.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.chaos import count
from tests.faults.chaos.harness import Chaos

ROUND_SECONDS = 130.0


def main() -> int:
    """Run rounds, say what happens, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long; a round that has begun is finished")
    parser.add_argument("--seed", type=int, default=None, help="decides over all faults; default: another each time")
    parser.add_argument("--messages", type=int, default=300, help="messages of a round, at least")
    arguments = parser.parse_args()
    seed = secrets.randbelow(10**8) if arguments.seed is None else arguments.seed
    end = time.monotonic() + arguments.minutes * 60
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        with Chaos(Path(name), seed, lambda line: print(line, flush=True)) as chaos:
            while True:
                chaos.run(seed, ROUND_SECONDS, arguments.messages)
                if wrong := count.look(chaos):
                    print(chaos.report())
                    print("\nWhat was not kept:", *wrong, sep="\n  ")
                    return 1
                if time.monotonic() > end:
                    break
                seed += 1
        print(f"\nEvery promise was kept: {chaos.faults} faults, {len(chaos.calls)} messages.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
