"""Mail servers that really listen: aiosmtpd with replies of the test's choice, and servers that misbehave."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from flask import Flask

from app.config import Settings
from tests.support import free_port, missing

HOST = "127.0.0.1"


@dataclass
class Handler:
    """Takes mails, or gives the replies that the test wants.

    offered: the envelopes that came whole, in order; mails: those of them that were taken.
    """

    replies: dict[str, list[str]] = field(default_factory=dict)
    mails: list[Envelope] = field(default_factory=list)
    offered: list[Envelope] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)
    mail_options: list[list[str]] = field(default_factory=list)
    # While this is cleared, what was offered is neither taken nor refused.
    free: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.free.set()

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._reply("MAIL"):
            return refusal
        self.mail_options.append(options)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._reply(f"RCPT {address}") or self._reply("RCPT"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.offered.append(envelope)
        await asyncio.to_thread(self.free.wait, 60)
        if refusal := self._reply("DATA"):
            return refusal
        self.mails.append(envelope)
        self.tls.append(session.ssl is not None)
        return "250 2.0.0 queued as TEST1"

    def refuse(self, verb: str, *replies: str) -> None:
        """Answer the next so many of these with these lines; then as usual."""
        self.replies[verb] = list(replies)

    def parsed(self) -> list[EmailMessage]:
        """The mails as mailers read them."""
        return [read(envelope) for envelope in self.mails]

    def _reply(self, verb: str) -> str | None:
        waiting = self.replies.get(verb)
        return waiting.pop(0) if waiting else None


class Server(Controller):
    """aiosmtpd on a port of its own; it counts as started when it listens."""

    def _trigger_server(self) -> None:
        # Its own would shake hands with a context that is the server's.
        with socket.create_connection((self.hostname, self.port), 5):
            pass


class Passwords:
    """AUTH with one user name and password."""

    def __call__(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = (data.login, data.password) == (b"anna", b"s3cret word")
        return AuthResult(success=right, handled=False)


def read(envelope: Envelope) -> EmailMessage:
    """A mail as mailers read it."""
    return parse(envelope.original_content or b"")


def parse(content: bytes) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(content.replace(b"\r\n", b"\n"))
    assert isinstance(message, EmailMessage)
    return message


@contextmanager
def serving(host: str = HOST, port: int = 0, **options: Any) -> Iterator[tuple[Handler, int]]:
    """A mail server; its handler and its port. options: of aiosmtpd's Controller."""
    handler = Handler()
    try:
        server = Server(handler, hostname=host, port=port or free_port(), ready_timeout=10, **options)
        server.start()
    except PermissionError:
        missing(f"port {port} of {host} is not for this user (sysctl net.ipv4.ip_unprivileged_port_start=465)")
    try:
        yield handler, server.port
    finally:
        server.stop()


@dataclass(frozen=True)
class Authority:
    """A certification authority of the test. file: its certificate, as smtp.ca_file names it."""

    authority: trustme.CA
    file: Path

    @classmethod
    def make(cls, folder: Path) -> Authority:
        authority, file = trustme.CA(), folder / "ca.pem"
        authority.cert_pem.write_to_path(file)
        return cls(authority, file)

    def context(self, name: str = HOST) -> ssl.SSLContext:
        """Of a server with a certificate for this name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        return context


@contextmanager
def talking(*lines: bytes) -> Iterator[int]:
    """The port of a server that greets, answers each line of a client with the next of these, then closes."""
    with socket.create_server((HOST, 0)) as listening:

        def talk() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client, client.makefile("rb") as heard:
                    client.settimeout(10)
                    for line in lines:
                        client.sendall(line)
                        heard.readline()

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


class Slow:
    """A mail server behind a slow line: it takes a mail at so many bytes a second, and hardly more at once.

    port: where it is. mails: what it took. most: bytes of a mail after which it takes no more. Use it as a context.
    """

    def __init__(
        self,
        rate: int,
        most: int = 1 << 60,
        *,
        address: tuple[str, int] = (HOST, 0),
        context: ssl.SSLContext | None = None,
        implicit: bool = False,
    ) -> None:
        self._rate, self._most, self._context, self._implicit = rate, most, context, implicit
        self.mails: list[bytes] = []
        self._over = threading.Event()
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Else the system would take megabytes for it at once.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        try:
            self._listening.bind(address)
        except PermissionError:
            missing(f"port {address[1]} is not for this user (sysctl net.ipv4.ip_unprivileged_port_start=465)")
        self._listening.listen()
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Slow:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with suppress(OSError), ExitStack() as stack:
            if self._context and self._implicit:
                client = self._context.wrap_socket(client, server_side=True)
            stack.enter_context(client)
            client.sendall(b"220 slow\r\n")
            while line := self._line(client):
                verb = line[:4].upper()
                if verb == b"EHLO":
                    client.sendall(b"250-slow\r\n250 STARTTLS\r\n")
                elif verb == b"STAR" and self._context:
                    client.sendall(b"220 go on\r\n")
                    client = stack.enter_context(self._context.wrap_socket(client, server_side=True))
                elif verb == b"DATA":
                    client.sendall(b"354 go on\r\n")
                    self.mails.append(self._mail(client))
                    client.sendall(b"250 taken\r\n")
                else:
                    client.sendall(b"250 OK\r\n")

    def _line(self, client: socket.socket) -> bytes:
        line = b""
        while not line.endswith(b"\n") and (byte := client.recv(1)):
            line += byte
        return line

    def _mail(self, client: socket.socket) -> bytes:
        """A mail as it comes over the wire; nothing of it is answered for when the client goes away."""
        mail = b""
        while not mail.endswith(b"\r\n.\r\n"):
            if len(mail) >= self._most:
                self._over.wait(60)
                raise ConnectionAbortedError
            data = client.recv(max(self._rate // 50, 1))
            if not data:
                raise ConnectionAbortedError
            mail += data
            time.sleep(len(data) / self._rate)
        return mail


@contextmanager
def silent() -> Iterator[int]:
    """The port of a black hole: it takes connections and never says a word."""
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


def own_address() -> str:
    """An address of this test process's own, where port 465 is free."""
    number = os.getpid() % 60000
    return f"127.77.{number // 250}.{number % 250 + 1}"


def with_smtp(settings: Settings, **smtp: Any) -> Settings:
    """Settings with another section [voicemail.smtp]: a server without TLS unless told otherwise."""
    usual = {"host": HOST, "use_tls": False, "timeout": 5.0, "sender": "Voicemail <voicemail@example.com>"}
    return replace(settings, smtp=replace(settings.smtp, **{**usual, **smtp}))


def use(app: Flask, port: int, **smtp: Any) -> Settings:
    """Let an application send its mail there."""
    settings = with_smtp(app.extensions["settings"], port=port, **smtp)
    app.extensions["settings"] = settings
    return settings
