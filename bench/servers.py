"""What is measured: the voice worker as it is deployed, and the same job as pyVoIP's documentation shows it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app import create_app
from app.config import PROJECT_ROOT, Settings, load_settings
from app.migrate import upgrade
from app.services import mailboxes

HOST = "127.0.0.1"
MAILBOX, PIN = "1001", "4711"
READY_SECONDS = 30.0
OPTIONS = (
    "OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{own};branch=z9hG4bKready{own};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:bench@{host}>;tag=1\r\nTo: <sip:{host}:{port}>\r\nCall-ID: ready{own}\r\n"
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


@dataclass
class Server:
    """A process that answers calls on HOST:port. children: processes that work for it. log: what it said."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    settings: Settings | None = None

    def processes(self) -> dict[str, int]:
        """Process ids: `worker`, and `keeper` and `courier` where there are any."""
        children: list[str] = []
        # They are started by threads, so each may be listed under another task.
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            # The thread of a call may have just ended.
            with suppress(OSError):
                children += (task / "children").read_text().split()
        found = {"worker": self.process.pid}
        for pid in children:
            with suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                found |= {name: int(pid) for name in ("keeper", "courier") if name.encode() in command}
        return found


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of an instance in `folder`, with none of the caller's own settings."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")}
    return kept | {"VOICEMAIL_INSTANCE": str(folder), "SIP_HOST": HOST, "PYTHONUNBUFFERED": "1"} | more


def make_instance(env: Mapping[str, str]) -> Settings:
    """Settings, tables and mailbox 1001 in the instance that `env` names."""
    settings = load_settings(env)
    settings.instance.mkdir(parents=True, exist_ok=True)
    upgrade(settings)
    with create_app(settings).app_context():
        mailboxes.create(MAILBOX, pin=PIN, actor="bench")
    return settings


@contextmanager
def voice_worker(folder: Path, port: int, prefix: list[str], workers: int = 1, **more: str) -> Iterator[Server]:
    """Our voice worker, or several on every second port, ready for calls; `prefix` pins them to a core."""
    defaults = {
        "SIP_PORT": str(port),
        "RTP_PORTS": "20000-29999",
        "VOICEMAIL__SIP__MAX_CALLS": "2000",
        "VOICEMAIL__SIP__DRAIN_TIMEOUT": "0",
        "VOICEMAIL__MAX_DURATION": "600",
    }
    env = environment(folder, **(defaults | more))
    settings = make_instance(env)
    log = folder / "worker.log"
    with log.open("wb") as out:
        command = [*prefix, sys.executable, "-m", "voice", *(("--workers", str(workers)) if workers > 1 else ())]
        process = subprocess.Popen(command, env=env, cwd=PROJECT_ROOT, stderr=out, stdout=out)
    server = Server(process, port, log, settings)
    try:
        for worker in range(workers):
            _wait_for_options(server, port + 2 * worker)
        yield server
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def naive(folder: Path, port: int, prefix: list[str], peer: tuple[str, int], prompt: Path) -> Iterator[Server]:
    """Plain pyVoIP (naive.py), ready for calls."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "naive.log"
    script = Path(__file__).with_name("naive.py")
    with log.open("wb") as err:
        command = [*prefix, sys.executable, str(script), HOST, str(port), peer[0], str(peer[1]), str(prompt)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err)
    assert process.stdout is not None
    try:
        if b"ready" not in process.stdout.readline():
            raise RuntimeError(f"plain pyVoIP did not start, see {log}")
        # Its receiving thread starts a second later and says nothing.
        time.sleep(1.5)
        yield Server(process, port, log)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_options(server: Server, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        probe.settimeout(0.2)
        text = OPTIONS.format(host=HOST, port=port, own=probe.getsockname()[1])
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if server.process.poll() is not None:
                break
            probe.sendto(text.encode(), (HOST, port))
            try:
                if probe.recv(2000).startswith(b"SIP/2.0 200"):
                    return
            except TimeoutError:
                continue
            time.sleep(0.1)
    raise RuntimeError(f"the voice worker did not start:\n{server.log.read_text(errors='replace')[-2000:]}")
