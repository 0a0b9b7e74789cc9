"""An instance in a temporary folder and the processes that serve it, as they are deployed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import wave
from array import array
from dataclasses import dataclass
from math import sin, tau
from pathlib import Path

from sqlalchemy import select

from app import create_app
from app.config import PROJECT_ROOT, Settings, load_settings
from app.extensions import db
from app.migrate import upgrade
from app.models import Mailbox, Message
from app.services import mailboxes
from tests.peers.speech import speech_pcm
from tests.servers import template
from tests.support import CHEAP, NOWHERE, free_port, rtp_ports_of, until
from voice.sip.address import WILDCARDS
from voice.sip.uri import bracketed

HOST = "127.0.0.1"
PIN = "4711"
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR")
GREETING_SECONDS = 1.0
NOT_AVAILABLE_HZ = 500
START_SECONDS = 60.0
OPTIONS = (
    "OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{own};branch=z9hG4bKready{own};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:test@{host}>;tag=1\r\nTo: <sip:{host}:{port}>\r\nCall-ID: ready{own}\r\n"
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|(\S+))')


def rtp_ports() -> str:
    """The range of this test process, as a setting."""
    return "{}-{}".format(*rtp_ports_of("instance"))


class Instance:
    """Folder, settings, tables, mailboxes; messages as the database has them."""

    def __init__(self, folder: Path, **variables: str) -> None:
        """variables: settings as the environment names them, over those that suit tests."""
        folder.mkdir(parents=True, exist_ok=True)
        usual = {
            "VOICEMAIL_INSTANCE": str(folder),
            "SECRET_KEY": "a key of the test",
            "REDIS_URL": NOWHERE,
            "SIP_HOST": HOST,
            "SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
            "RTP_PORTS": rtp_ports(),
            "VOICEMAIL__SOUNDS_DIR": str(folder / "sounds"),
            "VOICEMAIL__SILENCE_TIMEOUT": "1.5",
            "VOICEMAIL__SIP__DRAIN_TIMEOUT": "0",
            "VOICEMAIL__LIMITS__FREE_DISK_BYTES": "0",
        }
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self.environment = kept | {"PYTHONUNBUFFERED": "1"} | CHEAP | usual | variables
        self.folder = folder
        self.settings: Settings = load_settings(self.environment)
        self.greeting = speech_pcm(GREETING_SECONDS, seed=99)
        self._write_sounds()
        if self.settings.database_url.startswith("sqlite:"):
            shutil.copy(template(), self.settings.database_url.removeprefix("sqlite:///"))
        else:
            upgrade(self.settings)
        self.app = create_app(self.settings)

    def mailbox(self, extension: str) -> str:
        """Make a mailbox; its extension."""
        with self.app.app_context():
            mailboxes.create(extension, pin=PIN, actor="test")
        return extension

    def messages(self, extension: str) -> list[Message]:
        """Every message and discarded take of the mailbox, oldest first."""
        with self.app.app_context():
            query = select(Message).join(Mailbox).where(Mailbox.extension == extension).order_by(Message.received_at)
            found = list(db.session.scalars(query))
            for message in found:
                _ = message.deliveries
            db.session.expunge_all()
            return found

    def message(self, extension: str, timeout: float = 10) -> Message:
        """The one message of the mailbox, waited for."""
        until(lambda: self.messages(extension), timeout, f"a message in mailbox {extension}")
        (message,) = self.messages(extension)
        return message

    def spooled(self, message: Message) -> bytes:
        """The G.711 payload of a message that was not uploaded yet."""
        wav = (self.settings.spool_dir / f"{message.id}.wav").read_bytes()
        return wav[58 : 58 + round(message.duration * 8000)]

    def _write_sounds(self) -> None:
        """Short sounds laid over the built-in ones: they are known, and tests do not wait for them for long."""
        folder = self.folder / "sounds" / "en"
        folder.mkdir(parents=True)
        tone = bytes(array("h", (round(6000 * sin(tau * NOT_AVAILABLE_HZ * n / 8000)) for n in range(4000))))
        for name, pcm16 in (
            ("greeting_default", self.greeting), ("greeting_busy", self.greeting), ("not_available", tone),
        ):  # fmt: skip
            with wave.open(str(folder / f"{name}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes(pcm16)


@dataclass(frozen=True)
class CallLine:
    """The line that the worker logs at the end of a call."""

    fields: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.fields[name]


class Process:
    """`python -m MODULE ...` of an instance, with its log in a file."""

    def __init__(self, instance: Instance, *arguments: str) -> None:
        self.instance = instance
        self.log = instance.folder / f"{'-'.join(arguments)}.log"
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=PROJECT_ROOT,
                env=instance.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def text(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(errors="replace")

    def children(self) -> list[int]:
        """Process ids of its children, whichever of its threads started them."""
        return [
            int(pid)
            for task in Path(f"/proc/{self.pid}/task").iterdir()
            for pid in (task / "children").read_text().split()
        ]

    def kill(self) -> None:
        """kill -9."""
        self.popen.kill()
        self.popen.wait(10)

    def stop(self, timeout: float = 20) -> int:
        """SIGTERM; its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.log.stem} did not end within {timeout} s:\n{self.text()[-3000:]}") from None


class VoiceWorker(Process):
    """`python -m voice`, ready for calls once wait_ready() returns."""

    def __init__(self, instance: Instance, *arguments: str) -> None:
        super().__init__(instance, "voice", *arguments)
        sip = instance.settings.sip
        self.host, self.port = HOST if sip.host in WILDCARDS else sip.host, sip.port

    def wait_ready(self, port: int | None = None) -> VoiceWorker:
        """Wait until OPTIONS is answered with 200. port: of one of several workers; the first one's where not given."""
        port = port or self.port
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.host, 0))
            probe.settimeout(0.2)
            text = OPTIONS.format(host=bracketed(self.host), port=port, own=probe.getsockname()[1]).encode()

            def answered() -> bool:
                if self.popen.poll() is not None:
                    raise AssertionError(f"the voice worker ended:\n{self.text()[-3000:]}")
                probe.sendto(text, (self.host, port))
                try:
                    return probe.recv(2000).startswith(b"SIP/2.0 200")
                except OSError:
                    return False

            until(answered, START_SECONDS, "the voice worker answers OPTIONS with 200")
        return self

    def keepers(self) -> list[int]:
        """Process ids of its keepers: one, but for a moment after it was killed."""
        return [pid for pid in self.children() if b"voice.keeper" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def call_lines(self, call_id: str) -> list[CallLine]:
        """The lines about the end of this call; there is to be one."""
        lines = [line for line in self.text().splitlines() if f"call_id={call_id}" in line and " call caller=" in line]
        return [CallLine({name: quoted or plain for name, quoted, plain in _FIELD.findall(line)}) for line in lines]

    def call_line(self, call_id: str, timeout: float = 10) -> CallLine:
        """The one line about a call, waited for."""
        until(lambda: self.call_lines(call_id), timeout, f"the line about call {call_id} in\n{self.text()[-3000:]}")
        (line,) = self.call_lines(call_id)
        return line
