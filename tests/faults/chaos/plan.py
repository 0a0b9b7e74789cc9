"""Which faults come when: made from a seed, so that a run that failed can be run again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.faults.chaos import disk, hook, mail_server, object_store, postgres

LONG_STOP_SECONDS = 20.0
FIRST_SECONDS = 3.0
# Kills: how often in a round, of whom.
KILLS = {"voice": 5, "keeper": 2, "worker": 6, "jobs": 2, "valkey": 4, "relay": 3, "web": 2}


@dataclass(frozen=True)
class Fault:
    """What goes wrong, where, from when on (seconds from the start) and for how long; a kill lasts no time."""

    at: float
    where: str
    how: str
    seconds: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.where} {self.how}{lasting}"


def make(seed: int, seconds: float) -> list[Fault]:
    """A round of faults within so many seconds, in which each kind comes at least once.

    The last is a kill of the voice worker: the next one looks through the spool at its start.
    """
    chance = random.Random(seed)
    kinds = [("kill", name, 0.0) for name, times in KILLS.items() for _ in range(times)]
    kinds += [("disk", disk.FULL, chance.uniform(1, 4)) for _ in range(2)]
    kinds += [("postgresql", how, chance.uniform(2, 4)) for how in (postgres.STOP, postgres.FREEZE)]
    servers = (("s3", object_store.WAYS, 2), ("smtp", mail_server.WAYS, 1), ("webhook", hook.WAYS, 1))
    for where, ways, times in servers:
        kinds += [(where, how, chance.uniform(1, 5)) for how in ways for _ in range(times)]
    chance.shuffle(kinds)
    # The long one in the middle: calls come before, while and after.
    kinds.insert(len(kinds) // 2, ("postgresql", postgres.STOP, LONG_STOP_SECONDS))
    kinds.append(("kill", "voice", 0.0))
    return _spread(kinds, seconds, chance)


def _spread(kinds: list[tuple[str, str, float]], seconds: float, chance: random.Random) -> list[Fault]:
    """One after the other, and never two at once in one place; those in different places overlap as they like."""
    step = seconds / len(kinds)
    free_at: dict[str, float] = {}
    faults = []
    for number, (where, how, lasting) in enumerate(kinds):
        at = FIRST_SECONDS + step * (number + chance.random() * 0.9)
        at = max(at, free_at.get(where, 0.0))
        free_at[where] = at + lasting + 0.5
        faults.append(Fault(at, where, how, lasting))
    last = max(fault.at + fault.seconds for fault in faults)
    faults[-1] = Fault(max(faults[-1].at, last), *kinds[-1])
    return sorted(faults, key=lambda fault: fault.at)
