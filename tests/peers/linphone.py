"""A softphone: linphonec that speaks a WAV file and keeps what it hears in another, driven by its command line."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import wave
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.peers.instance import HOST
from tests.support import free_port, until

SETTINGS = """
[sip]
sip_port={sip_port}
sip_tcp_port=0
sip_tls_port=0
use_ipv6=0
bind_address={host}
guess_hostname=0
contact=sip:linphone@{host}:{sip_port}

[rtp]
audio_rtp_port={rtp_port}

[sound]
echocancellation=0
"""
HEADER_BYTES = 44

needs_linphone = pytest.mark.skipif(
    shutil.which("linphonec") is None and not os.environ.get("CI"),
    reason="linphonec (Debian: linphone-cli) is not installed",
)


class Linphone:
    """Started in a folder of its own, which is its home as well."""

    def __init__(self, folder: Path, say: bytes) -> None:
        """say: 16-bit samples at 8 kHz, spoken from the answer on."""
        folder.mkdir(parents=True)
        self._heard, self.log = folder / "heard.wav", folder / "log"
        self.port = sip_port = free_port(socket.SOCK_DGRAM)
        rtp_port = free_port(socket.SOCK_DGRAM) & ~1
        (folder / "rc").write_text(SETTINGS.format(host=HOST, sip_port=sip_port, rtp_port=rtp_port))
        with wave.open(str(folder / "say.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(say)
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                ["linphonec", "-c", str(folder / "rc")],
                cwd=folder,
                env=os.environ | {"HOME": str(folder)},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                text=True,
            )
        for command in ("ipv6 disable", "soundcard use files", f"play {folder}/say.wav", f"record {self._heard}"):
            self.command(command)

    def __enter__(self) -> Linphone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.quit()

    def command(self, text: str) -> None:
        """A line of its command line, such as call URI, terminate, or a key."""
        assert self._process.stdin
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def wait(self, words: str, timeout: float = 30) -> None:
        """Wait until it has said so."""
        until(lambda: words in self.text(), timeout, f"{words!r} in\n{self.text()[-3000:]}")

    def heard(self) -> NDArray[np.float64]:
        """What it has heard so far."""
        data = self._heard.read_bytes()[HEADER_BYTES:] if self._heard.exists() else b""
        return np.frombuffer(data[: len(data) & ~1], "<i2").astype(np.float64)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def quit(self) -> None:
        """End it; harmless when it is over."""
        if self._process.poll() is None:
            try:
                self._process.communicate("quit\n", 15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
