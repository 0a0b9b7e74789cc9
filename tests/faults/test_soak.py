"""After calls of every kind the voice worker holds what it held before: two minutes of `make soak`."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bench import soak
from bench.verdict import BROKEN
from tests.peers.instance import rtp_ports
from tests.support import CHEAP, NOWHERE, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_memory_threads_files_and_sockets_stay_flat(tmp_path: Path) -> None:
    soaked = soak.run(
        tmp_path / "instance",
        seconds=120.0,
        calls=6,
        port=free_port(socket.SOCK_DGRAM),
        RTP_PORTS=rtp_ports(),
        REDIS_URL=NOWHERE,
        VOICEMAIL__LIMITS__FREE_DISK_BYTES="0",
        **CHEAP,
    )
    # How many calls a busy machine gets through is not what is looked for here.
    broken = [line for line in soak.lines(soaked) if line.verdict == BROKEN and line.what != soak.FAILED]
    assert not broken, soaked
    assert soaked.rounds[-1].calls - soaked.rounds[-1].failed >= 60, soaked
