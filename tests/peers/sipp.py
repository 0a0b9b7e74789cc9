"""Runs sipp scenarios against a voice worker, or a proxy in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.peers.instance import VoiceWorker
from tests.peers.kamailio import Kamailio
from tests.support import free_port
from voice.sip.uri import bracketed

SCENARIOS = Path(__file__).with_name("sipp")
SECONDS = 40
_runs = count(1)

needs_sipp = pytest.mark.skipif(
    shutil.which("sipp") is None and not os.environ.get("CI"), reason="sipp (Debian: sip-tester) is not installed"
)
# sipp sends keys through a raw socket.
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="sipp needs root to send telephone events"
)


@dataclass(frozen=True)
class Run:
    """A scenario that was run: passed or not, why not, and the call's id."""

    passed: bool
    errors: str
    call_id: str


def run(
    scenario: str,
    server: VoiceWorker | Kamailio,
    extension: str,
    folder: Path,
    *,
    payload: bytes = b"",
    seconds: float = 1.0,
    replace: dict[str, str] | None = None,
) -> Run:
    """Run SCENARIOS/scenario.xml once.

    payload: becomes speech.raw, which a scenario streams; seconds: of its pauses that have no length of their own;
    replace: texts of the scenario by those that stand in their place.
    """
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    for old, new in (replace or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "scenario.xml").write_text(text)
    (folder / "speech.raw").write_bytes(payload)
    call_id = f"sipp-{os.getpid()}-{next(_runs)}"
    signalling, media = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM) & ~1
    host = server.host
    command = ["sipp", f"{bracketed(host)}:{server.port}", "-i", host, "-p", str(signalling), "-mi", host]
    # rtp_stream takes the port of -mp, which is to be even, and keys.xml has sipp send keys from there.
    command += ["-mp", str(media), "-sf", "scenario.xml", "-s", extension, "-m", "1", "-nostdin"]
    command += ["-d", str(round(seconds * 1000)), "-cid_str", call_id, "-timeout", f"{SECONDS}s", "-timeout_error"]
    command += ["-trace_err", "-error_file", "errors.log"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS + 20, check=False)
    errors = folder / "errors.log"
    said = errors.read_text(errors="replace") if errors.exists() else ""
    return Run(done.returncode == 0, f"exit code {done.returncode}\n{said}\n{done.stderr}", call_id)
