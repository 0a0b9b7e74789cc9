"""Everything breaks while calls come in, and every caller who heard the tone has a message: `make chaos` in short."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.chaos import count
from tests.faults.chaos.harness import Chaos

pytestmark = [pytest.mark.slow, pytest.mark.alone]

SEED = int(os.environ.get("CHAOS_SEED", "20261126"))
MESSAGES, FAULTS = 300, 30
SECONDS = 130.0


@pytest.mark.timeout(900)
def test_nothing_is_lost_whatever_breaks(tmp_path: Path) -> None:
    with Chaos(tmp_path, SEED) as chaos:
        chaos.run(SEED, SECONDS, MESSAGES)
        wrong = count.look(chaos)
        assert not wrong, "\n".join(["", *wrong[:40], chaos.report()])
        assert chaos.faults >= FAULTS
        print("\n".join(chaos.timeline))
