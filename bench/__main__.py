"""`make bench`: the numbers that the product promises, each beside what it is compared with, in one run.

python -m bench [load] [workers] [setup] [flood] [silence] [tail] [keys] [pins] [owner] [browser] [lamps] [deliveries]
               [programmed] [say] [--calls 100 300 600]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import (
    browser,
    capacity,
    deliveries,
    flood,
    keys,
    lamps,
    owner,
    pins,
    programmed,
    say,
    setup,
    silence,
    tail,
    workers,
)
from bench.verdict import Line, show_verdicts

# A part makes its own folder, prints what it found in detail, and returns what it says of the promises.
PARTS: dict[str, Callable[[Path], list[Line]]] = {
    "load": capacity.measure,
    "workers": workers.measure,
    "setup": setup.measure,
    "flood": flood.measure,
    "silence": silence.measure,
    "tail": tail.measure,
    "keys": keys.measure,
    "pins": pins.measure,
    "owner": owner.measure,
    "browser": browser.measure,
    "lamps": lamps.measure,
    "deliveries": deliveries.measure,
    "programmed": programmed.measure,
    "say": say.measure,
}


def main() -> int:
    """Run what was asked for, all of it by default; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="|".join(PARTS), help="parts to run; default: all")
    sizes = list(capacity.SIZES)
    parser.add_argument(
        "--calls", type=int, nargs="+", default=sizes, help="loads to try, in turn; default: %(default)s"
    )
    parser.add_argument(
        "--backlog",
        type=int,
        default=deliveries.BACKLOG,
        help="messages of an outage to work off; default: %(default)s",
    )
    arguments = parser.parse_args()
    parts = PARTS | {
        "load": partial(capacity.measure, sizes=arguments.calls),
        "deliveries": partial(deliveries.measure, backlog=arguments.backlog),
    }
    if unknown := set(arguments.what) - set(parts):
        parser.error(f"there is no part {' or '.join(sorted(unknown))}; there are {', '.join(parts)}")
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for part in arguments.what or parts:
            print(f"{part} …", file=sys.stderr, flush=True)
            lines += parts[part](Path(name) / part)
            sys.stdout.flush()
    return 0 if show_verdicts(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
