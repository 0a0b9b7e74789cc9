"""A connection to the mail server: Flask-Mail's, with what it lacks.

A time-out for each word of the server, certificates that are verified, TLS that is required and not only tried,
and errors that say what is wrong and whether trying again helps.
"""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

import flask_mail

from app.config import Settings
from app.delivery.errors import DeliveryError, PermanentError, TemporaryError
from app.mail import refusals
from app.mail.letter import Letter

QUIT_SECONDS = 1.0
ACCEPTED = 250
FORWARDED = 251


def connect(settings: Settings, seconds: float | None = None) -> Connection:
    """A connection to smtp.host, to be entered. seconds: longest silence of the server, else smtp.timeout."""
    return Connection(settings, seconds or settings.smtp.timeout)


class Connection(flask_mail.Connection):
    """To be used in a `with` block, whose beginning raises TemporaryError where the server does not let us in."""

    def __init__(self, settings: Settings, seconds: float) -> None:
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
        self._smtp, self._seconds, self._name = smtp, seconds, settings.host_name

    def configure_host(self) -> smtplib.SMTP:
        """Connect, begin TLS and log in; TemporaryError."""
        with self._explained():
            server = self._open()
            try:
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
        """Say goodbye, and go whatever the answer is: what was accepted is accepted."""
        server, self.host = self.host, None
        if server is None:
            return
        try:
            if server.sock is not None:
                server.sock.settimeout(QUIT_SECONDS)
                server.quit()
        except (smtplib.SMTPException, OSError):
            pass
        finally:
            server.close()

    def post(self, letter: Letter) -> str:
        """Send a letter; what the server said when it took it. TemporaryError, PermanentError, MailTooLarge."""
        server = self._server()
        with self._explained():
            content = letter.as_bytes()
            options = self._options(server, letter, len(content))
            self._expect(server.mail(letter.writer.address, options), f"mail from {letter.writer.address}")
            code, reply = server.rcpt(letter.to.address)
            self._expect((ACCEPTED if code == FORWARDED else code, reply), f"mail to {letter.to.address}")
            try:
                code, reply = server.data(content)
            except smtplib.SMTPDataError as refused:
                code, reply = refused.smtp_code, _bytes(refused.smtp_error)
            self._expect((code, reply), "the mail")
            self.num_emails += 1
        return f"{code} {refusals.words_of(reply, self._smtp)}"

    def noop(self) -> None:
        """See that the server still answers; TemporaryError."""
        with self._explained():
            self._server().noop()

    def _open(self) -> smtplib.SMTP:
        smtp, seconds = self._smtp, self._seconds
        # The name is given so that smtplib does not ask the DNS for it, however long that takes.
        if self.mail.use_ssl:
            return smtplib.SMTP_SSL(
                smtp.host, smtp.port, local_hostname=self._name, timeout=seconds, context=self._context()
            )
        return smtplib.SMTP(smtp.host, smtp.port, local_hostname=self._name, timeout=seconds)

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

    def _expect(self, answer: tuple[int, bytes], what: str) -> None:
        code, reply = answer
        if code != ACCEPTED:
            with suppress(smtplib.SMTPException, OSError):
                # For the next letter; a server that went away has said all that counts.
                self._server().rset()
            raise refusals.of_reply(code, reply, what, self._smtp)

    def _server(self) -> smtplib.SMTP:
        if self.host is None:
            raise TemporaryError(f"{self._smtp.host} is not connected")
        return self.host

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What goes wrong with the server, as what the outbox understands."""
        try:
            yield
        except DeliveryError:
            raise
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise refusals.of_connecting(error, self._smtp, self._seconds) from error


def _bytes(reply: bytes | str) -> bytes:
    return reply.encode() if isinstance(reply, str) else reply
