"""A load with something going on beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from bench import capacity, load, servers
from bench.load import Figures
from bench.servers import Server
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN


class Neighbour(Protocol):
    """What goes on beside the calls, in threads of its own."""

    def start(self) -> None:
        """Begin, and return at once."""

    def join(self) -> None:
        """Wait until it is done."""


Kind = TypeVar("Kind", bound=Neighbour)


def run(
    folder: Path, calls: int, make: Callable[[Server], Kind], seconds: float = load.STEADY_SECONDS
) -> tuple[Figures, Kind]:
    """`calls` that record, and beside them what make() makes; once more where the machine stood still and it failed.

    seconds: for which the cost is measured.
    """
    folder.mkdir(parents=True)
    speech = folder / "speech.ulaw"
    speech.write_bytes(g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU))
    peer = load.compile_peer(folder)
    for attempt in range(load.ATTEMPTS):
        place = folder / str(attempt)
        with servers.voice_worker(place / "instance", capacity.PORT, load.on_core(0)) as server:
            neighbour = make(server)
            figures = load.run(server, calls, place, peer, speech, beside=neighbour.start, seconds=seconds)
            neighbour.join()
        if capacity.holds(figures) or not capacity.is_disturbed(figures):
            break
    return figures, neighbour


def pace_of(figures: Figures, calls: int) -> float:
    """Packets in pace, percent; 0 where a call was not answered or a packet was received lost."""
    return figures.in_pace if figures.answered >= calls and not figures.lost_by_us else 0.0
