"""Why a mail was not taken, in words: what may help later, and what will never."""

from __future__ import annotations

import smtplib
import socket
import ssl

from app.delivery.errors import DeliveryError, PermanentError, TemporaryError
from app.settings import SmtpSettings

LONGEST = 300
HIDDEN = "(hidden)"
# Authentication (RFC 4954) and TLS (RFC 3207) that are wanted: staff sets it right, the mail waits.
OURS_TO_MEND = frozenset({530, 534, 535, 538})
TOO_LARGE = 552


class MailTooLarge(PermanentError):
    """The server takes mails, but none of this size (RFC 1870), or the mailbox behind the address is full."""


def of_reply(code: int, reply: bytes | str, what: str, smtp: SmtpSettings) -> DeliveryError:
    """The error for a reply that refuses `what`: 4xx may change, 5xx stays, but for what is ours to mend."""
    line = f"{_where(smtp)} refuses {what}: {code} {words_of(reply, smtp)}".rstrip()
    if code == TOO_LARGE:
        return MailTooLarge(line)
    if 500 <= code <= 599 and code not in OURS_TO_MEND:
        return PermanentError(line)
    return TemporaryError(line)


def of_connecting(error: Exception, smtp: SmtpSettings, seconds: float) -> TemporaryError:
    """The error for a server that cannot be reached or does not let us in, or goes away: all of that may be mended."""
    return TemporaryError(f"{_where(smtp)} {_reason(error, smtp, seconds)}")


def too_slow(smtp: SmtpSettings) -> TemporaryError:
    """The error for a server that always says something, and never comes to an end."""
    return TemporaryError(f"{_where(smtp)} takes longer than {smtp.total_timeout:g} s")


def words_of(reply: bytes | str, smtp: SmtpSettings) -> str:
    """What a server said, on one line, of a sensible length, without the password should it be in there."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if smtp.password:
        text = text.replace(smtp.password, HIDDEN)
    return text[:LONGEST]


def _reason(error: Exception, smtp: SmtpSettings, seconds: float) -> str:
    match error:
        case smtplib.SMTPAuthenticationError():
            said = f"{error.smtp_code} {words_of(error.smtp_error, smtp)}"
            return f"refuses the user name or password of [voicemail.smtp]: {said}"
        case smtplib.SMTPResponseException():
            return f"does not let us in: {error.smtp_code} {words_of(error.smtp_error, smtp)}"
        case smtplib.SMTPServerDisconnected() if "timed out" in str(error):
            return f"does not answer within {seconds:g} s"
        case smtplib.SMTPServerDisconnected():
            return "closed the connection"
        case smtplib.SMTPException():
            return f"cannot be used: {words_of(str(error), smtp)}"
        case UnicodeError():
            return "takes only ASCII in the user name and password of [voicemail.smtp]"
    return _reason_of_network(error, seconds)


def _reason_of_network(error: Exception, seconds: float) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted: {error.verify_message}; see smtp.ca_file for a private CA"
        case ssl.SSLError():
            return f"does not speak TLS with us: {error.reason or 'the handshake failed'}"
        case socket.gaierror():
            return "is a name that cannot be found"
        case TimeoutError():
            return f"does not answer within {seconds:g} s"
        case OSError():
            return f"cannot be reached: {error.strerror or type(error).__name__}"
    return f"cannot be used: {type(error).__name__}"


def _where(smtp: SmtpSettings) -> str:
    return f"{smtp.host}:{smtp.port}"
