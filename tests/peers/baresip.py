"""A person's phone: a headless baresip that speaks a WAV file and keeps what it hears in another."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import wave
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.peers.instance import HOST
from tests.support import free_port, until

MODULES = [Path("/usr/lib/baresip/modules"), *Path("/usr/lib").glob("*/baresip/modules")]
NEEDED = ("aufile.so", "sndfile.so", "ctrl_tcp.so", "g711.so")
CONFIG = """
poll_method epoll
sip_listen {host}:{sip_port}
net_interface {host}
audio_source aufile,{folder}/say.wav
audio_alert aufile,{folder}/say.wav
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
rtp_ports {rtp_port}-{rtp_last}
jitter_buffer_delay 1-5
snd_path {folder}
module_path {modules}
module g711.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control_port}
"""
ACCOUNT = '"Carol" <sip:2003@{host}:{sip_port}>;regint=0;audio_codecs={codec}/8000/1;dtmfmode=rtpevent\n'


def _modules() -> Path | None:
    return next((folder for folder in MODULES if all((folder / name).exists() for name in NEEDED)), None)


needs_baresip = pytest.mark.skipif(
    (shutil.which("baresip") is None or _modules() is None) and not os.environ.get("CI"),
    reason="baresip (Debian: baresip-core) is not installed",
)


class Baresip:
    """Started in a folder of its own; driven over its control port (JSON in netstrings)."""

    def __init__(self, folder: Path, say: bytes, codec: str = "PCMU", account: str = "", modules: str = "") -> None:
        """say: 16-bit samples at 8 kHz, spoken from the answer on; account, modules: lines beside the usual ones."""
        folder.mkdir(parents=True)
        self._folder = folder
        sip_port, control_port, rtp_port = free_port(socket.SOCK_DGRAM), free_port(), free_port(socket.SOCK_DGRAM) & ~1
        values = {
            "host": HOST,
            "sip_port": sip_port,
            "control_port": control_port,
            "folder": folder,
            "codec": codec,
            "modules": _modules(),
            "rtp_port": rtp_port,
            "rtp_last": rtp_port + 20,
        }
        (folder / "config").write_text(CONFIG.format(**values) + modules)
        (folder / "accounts").write_text(account or ACCOUNT.format(**values))
        _write_wav(folder / "say.wav", say)
        self.log = folder / "log"
        self.events: list[dict[str, Any]] = []
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                ["baresip", "-f", str(folder), "-v"], cwd=folder, stdin=subprocess.PIPE, stdout=out, stderr=out
            )
        self._control = self._connect(control_port)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Baresip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.quit()

    def command(self, name: str, parameters: str = "") -> None:
        """A command of baresip's menu, such as dial, hangup, sndcode."""
        data = json.dumps({"command": name, "params": parameters, "token": name}).encode()
        self._control.sendall(b"%d:%s," % (len(data), data))

    def wait(self, kind: str, timeout: float = 15) -> None:
        """Wait for an event, such as CALL_ESTABLISHED or CALL_CLOSED."""
        until(lambda: any(event.get("type") == kind for event in self.events), timeout, f"{kind}\n{self.text()}")

    def heard(self) -> NDArray[np.float64]:
        """All that it has heard, as numbers; complete after quit()."""
        (path,) = self._folder.glob("dump-*-dec.wav")
        with wave.open(str(path), "rb") as file:
            assert (file.getframerate(), file.getnchannels()) == (8000, 1)
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)

    def text(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def quit(self) -> None:
        """End it; harmless when it is over."""
        if self._process.poll() is None:
            self.command("quit")
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._control.close()
        self._reader.join(5)
        if self._process.stdin:
            self._process.stdin.close()

    def _connect(self, port: int) -> socket.socket:
        made: list[socket.socket] = []

        def connected() -> bool:
            assert self._process.poll() is None, self.text()
            try:
                made.append(socket.create_connection((HOST, port), 1))
            except OSError:
                return False
            return True

        until(connected, 15, "baresip's control port")
        made[0].settimeout(None)
        return made[0]

    def _read(self) -> None:
        held = b""
        while True:
            try:
                data = self._control.recv(65536)
            except OSError:
                return
            if not data:
                return
            held += data
            while b":" in held:
                size, rest = held.split(b":", 1)
                if len(rest) <= int(size):
                    break
                self.events.append(json.loads(rest[: int(size)]))
                held = rest[int(size) + 1 :]


def _write_wav(path: Path, pcm16: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm16)
