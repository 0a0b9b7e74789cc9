"""A connection to the mail server: Flask-Mail's, with what it lacks.

A time-out for each word of the server and each piece of a mail, certificates that are verified, TLS that is required
and not only tried, and errors that say what is wrong and whether trying again helps.
"""

from __future__ import annotations

import ipaddress
import re
import select
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, cast

import flask_mail

from app.alarms import Alarms
from app.config import Settings
from app.delivery.errors import DeliveryError, PermanentError, TemporaryError
from app.mail import refusals
from app.mail.letter import Letter

QUIT_SECONDS = 1.0
# Waited beyond the limit of the whole, so that it is the limit that ends a mail and says so.
GRACE_SECONDS = 1.0
# A socket's time-out is for all of a sendall(): a mail in one would have to be gone within it (RFC 5321 section
# 4.5.3.2.5 has it for each piece).
PIECE_BYTES = 16 * 1024
ACCEPTED = 250
FORWARDED = 251
GO_ON = 354
# The server ends the connection (RFC 5321 section 3.8).
CLOSING = 421
_late = Alarms("late mails")


def connect(settings: Settings, seconds: float | None = None) -> Connection:
    """A connection to smtp.host, to be entered. seconds: longest silence of the server where somebody waits.

    Else that is smtp.timeout, but for the answer to a whole mail: a server may examine it for minutes, and one that is
    not waited for has it twice. Nothing takes longer than smtp.total_timeout however little the server says at a time:
    to be let in, or a mail.
    """
    return Connection(settings, seconds)


class Connection(flask_mail.Connection):
    """To be used in a `with` block, whose beginning raises TemporaryError where the server does not let us in.

    offered: whether the last mail was handed over, so that the server may have it. ended: whether the server has closed
    the connection, or said that it does (421).
    """

    def __init__(self, settings: Settings, seconds: float | None) -> None:
        smtp = settings.smtp
        mail = flask_mail.Mail()
        mail.state = mail.init_mail(
            {
                "MAIL_SERVER": smtp.host,
                "MAIL_PORT": smtp.port,
                "MAIL_USERNAME": smtp.username,
                "MAIL_PASSWORD": smtp.password,
                "MAIL_USE_SSL": smtp.port == smtplib.SMTP_SSL_PORT,
                "MAIL_USE_TLS": smtp.use_tls and smtp.port != smtplib.SMTP_SSL_PORT,
            }
        )
        super().__init__(mail)
        self._smtp, self._seconds, self._name = smtp, seconds or smtp.timeout, settings.host_name
        self._patient, self._ends = seconds is None, 0.0
        self.offered = self.ended = self._late = False
        self._server: smtplib.SMTP | None = None

    def configure_host(self) -> smtplib.SMTP:
        """Connect, begin TLS and log in; TemporaryError."""
        with self._explained():
            server = self._open()
            try:
                # Else the system takes a megabyte of a mail at once, and nobody sees whether the server does.
                # Where it cannot be told to, a mail goes all the same.
                with suppress(OSError):
                    _socket_of(server).setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, PIECE_BYTES)
                self._introduce(server)
                if self.mail.use_tls:
                    server.starttls(context=self._context())
                    server.ehlo()
                if self.mail.username:
                    server.login(self.mail.username, self.mail.password)
            except BaseException:
                server.close()
                raise
        return server

    def __exit__(self, kind: type[BaseException], error: BaseException, trace: TracebackType) -> None:
        """As part()."""
        self.part()

    def part(self) -> None:
        """Say goodbye, and go whatever the answer is: what was accepted is accepted."""
        server, self.host = self.host, None
        if server is None:
            return
        try:
            if server.sock is not None:
                server.sock.settimeout(QUIT_SECONDS)
                with _late.after(QUIT_SECONDS, self._cut_off):
                    server.quit()
        except (smtplib.SMTPException, OSError):
            pass
        finally:
            server.close()

    def post(self, letter: Letter) -> str:
        """Send a letter; what the server said when it took it. TemporaryError, PermanentError, MailTooLarge."""
        self.offered = False
        with self._explained():
            server = self._connected()
            content = letter.as_bytes()
            options = self._options(server, letter, len(content))
            self._expect(server.mail(letter.writer.address, options), f"mail from {letter.writer.address}")
            code, reply = server.rcpt(letter.to.address)
            self._expect((ACCEPTED if code == FORWARDED else code, reply), f"mail to {letter.to.address}")
            self.offered = True
            self._expect(server.docmd("data"), "the mail", GO_ON)
            code, reply = self._hand_over(server, content)
            self._expect((code, reply), "the mail")
            self.num_emails += 1
        return f"{code} {refusals.words_of(reply, self._smtp)}"

    def quiet(self) -> bool:
        """Whether the server is still there and has said nothing unasked, such as goodbye."""
        sock = self.host.sock if self.host is not None else None
        if sock is None or self.ended:
            return False
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return not poll.poll(0)

    def noop(self) -> None:
        """See that the server still answers; TemporaryError."""
        with self._explained():
            self._connected().noop()

    def _hand_over(self, server: smtplib.SMTP, content: bytes) -> tuple[int, bytes]:
        """Send a mail, whose lines end in CR LF, and its end (RFC 5321 section 4.5.2); the server's answer to it."""
        mail = re.sub(rb"(?m)^\.", b"..", content)
        mail += b".\r\n" if mail.endswith(b"\r\n") else b"\r\n.\r\n"
        for start in range(0, len(mail), PIECE_BYTES):
            _send(server, mail[start : start + PIECE_BYTES])
        if self._patient:
            left = max(self._ends - time.monotonic(), 0.0)
            _socket_of(server).settimeout(left + GRACE_SECONDS)
        answer = server.getreply()
        _socket_of(server).settimeout(self._seconds)
        return answer

    def _open(self) -> smtplib.SMTP:
        smtp, seconds = self._smtp, self._seconds
        # The name is given so that smtplib does not ask the DNS for it, however long that takes.
        if self.mail.use_ssl:
            return _Tls(
                self._opens, smtp.host, smtp.port, local_hostname=self._name, timeout=seconds, context=self._context()
            )
        return _Plain(self._opens, smtp.host, smtp.port, local_hostname=self._name, timeout=seconds)

    def _opens(self, server: smtplib.SMTP) -> None:
        self._server = server

    def _cut_off(self) -> None:
        """End what takes too long: whoever waits for the server hears that it is gone."""
        self._late = True
        with suppress(OSError, AttributeError):
            # Not the TLS socket's own, which is for the thread that reads.
            socket.socket.shutdown(cast("socket.socket", cast("smtplib.SMTP", self._server).sock), socket.SHUT_RDWR)

    def _introduce(self, server: smtplib.SMTP) -> None:
        """A host without a domain names itself by its address (RFC 5321 section 4.1.3)."""
        if "." not in self._name and server.sock is not None:
            address = ipaddress.ip_address(str(server.sock.getsockname()[0]).partition("%")[0])
            server.local_hostname = f"[{'IPv6:' if address.version == 6 else ''}{address}]"
        server.ehlo_or_helo_if_needed()

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._smtp.ca_file is not None:
            try:
                context.load_verify_locations(self._smtp.ca_file)
            except (OSError, ssl.SSLError) as error:
                reason = getattr(error, "strerror", None) or "it holds no certificate"
                raise TemporaryError(f"smtp.ca_file {self._smtp.ca_file} cannot be used: {reason}") from None
        return context

    def _options(self, server: smtplib.SMTP, letter: Letter, size: int) -> list[str]:
        options = [f"SIZE={size}"] if server.has_extn("size") else []
        if letter.needs_utf8:
            if not server.has_extn("smtputf8"):
                who = letter.to.address if letter.to.needs_utf8 else letter.writer.address
                raise PermanentError(f"the address {who} needs SMTPUTF8, which {self._smtp.host} does not have")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        return options

    def _expect(self, answer: tuple[int, bytes], what: str, wanted: int = ACCEPTED) -> None:
        code, reply = answer
        if code != wanted:
            self.ended = self.ended or code == CLOSING
            with suppress(smtplib.SMTPException, OSError):
                # For the next letter; a server that went away has said all that counts.
                self._connected().rset()
            raise refusals.of_reply(code, reply, what, self._smtp)

    def _connected(self) -> smtplib.SMTP:
        if self.host is None:
            raise TemporaryError(f"{self._smtp.host} is not connected")
        return self.host

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What goes wrong with the server, as what the outbox understands."""
        self._late, self._ends = False, time.monotonic() + self._smtp.total_timeout
        try:
            with _late.after(self._smtp.total_timeout, self._cut_off):
                yield
        except DeliveryError:
            raise
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            if self._late:
                raise refusals.too_slow(self._smtp) from error
            self.ended = isinstance(error, (smtplib.SMTPServerDisconnected, ConnectionError))
            raise refusals.of_connecting(error, self._smtp, self._seconds) from error


class _Noted(smtplib.SMTP):
    """Shows itself before it connects, so that somebody else can cut it off."""

    def __init__(self, opens: Callable[[smtplib.SMTP], None], *args: Any, **options: Any) -> None:
        opens(self)
        super().__init__(*args, **options)


class _Plain(_Noted):
    """Begins without TLS."""


class _Tls(_Noted, smtplib.SMTP_SSL):
    """TLS from the start."""


def _send(server: smtplib.SMTP, piece: bytes) -> None:
    """Send a piece of a mail; TimeoutError where the server does not take it, which smtplib calls disconnected."""
    try:
        server.send(piece)
    except smtplib.SMTPServerDisconnected as error:
        if isinstance(error.__context__, TimeoutError):
            raise error.__context__ from None
        raise


def _socket_of(server: smtplib.SMTP) -> socket.socket:
    if server.sock is None:
        raise smtplib.SMTPServerDisconnected("closed")
    return server.sock
