"""A mail, ready to be sent: Flask-Mail's message, put together by Python's newer e-mail classes.

Headers are encoded (RFC 2047), or UTF-8 (RFC 6532) where the server must have SMTPUTF8 anyway; none has line breaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.header import Header
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import EmailPolicy

from flask_mail import Attachment, Message

from app.mail.sender import Address
from app.mail.templates import Texts

OUR_HEADERS = frozenset(
    {
        *("Date", "Message-ID", "Content-Language", "Auto-Submitted", "X-Auto-Response-Suppress", "Precedence"),
        *("Importance", "X-Priority", "MIME-Version", "Content-Transfer-Encoding"),
    }
)


class _Policy(EmailPolicy):
    """As email.policy.SMTP, but for subjects: Python's newer folding tears characters of four bytes apart.

    And its parser decodes what only looks encoded (RFC 2047), such as a caller's name, line breaks and all: the mail
    would go on with headers and a text of the caller's. A subject is kept as it is, and what looks encoded is encoded.
    """

    def header_store_parse(self, name: str, value: str) -> tuple[str, str]:
        """A header as it is kept. What we write ourselves need not be taken apart: that took a third of a mail."""
        if name in OUR_HEADERS and value.isascii() and value.isprintable():
            return name, value
        if name == "Subject":
            if len(value.splitlines()) > 1:
                raise ValueError("a subject has one line")
            return name, value
        return super().header_store_parse(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        """A header as it goes over the wire."""
        if name != "Subject":
            return super().fold_binary(name, value)
        if (self.utf8 or value.isascii()) and "=?" not in value:
            # At most templates.LONGEST_SUBJECT characters: a line may have 998 bytes (RFC 5322 section 2.1.1).
            return f"{name}: {value}\r\n".encode()
        return f"{name}: {Header(value, 'utf-8', 76, name).encode(linesep=self.linesep)}\r\n".encode("ascii")


# Servers need not have 8BITMIME (RFC 6152): bodies are quoted-printable or base64.
_PLAIN = _Policy(linesep="\r\n", cte_type="7bit")
_UTF8 = _PLAIN.clone(utf8=True)


class Letter(Message):
    """A mail to one address. headers: beside From, To and Subject, without line breaks."""

    def __init__(
        self,
        sender: Address,
        to: Address,
        texts: Texts,
        headers: Mapping[str, str],
        attachment: Attachment | None = None,
    ) -> None:
        super().__init__(
            subject=texts.subject,
            recipients=[to.address],
            body=texts.text,
            html=texts.html,
            sender=sender.address,
            attachments=[attachment] if attachment else [],
            extra_headers=dict(headers),
        )
        self.writer, self.to = sender, to

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 takes it."""
        return self.writer.needs_utf8 or self.to.needs_utf8

    def as_bytes(self) -> bytes:
        """The mail as it goes over the wire, lines ended by CR LF."""
        mail = EmailMessage(policy=_UTF8 if self.needs_utf8 else _PLAIN)
        mail["From"] = _header(self.writer)
        mail["To"] = _header(self.to)
        mail["Subject"] = self.subject
        mail.set_content(self.body or "", cte=_encoding(self.body or ""))
        mail.add_alternative(self.html or "", subtype="html", cte=_encoding(self.html or ""))
        for attachment in self.attachments:
            main, _, sub = attachment.content_type.partition("/")
            data = attachment.data if isinstance(attachment.data, bytes) else attachment.data.encode()
            mail.add_attachment(data, maintype=main, subtype=sub, filename=attachment.filename)
        # Last, since the content has headers of its own, which set_content() removes.
        for name, value in (self.extra_headers or {}).items():
            mail[name] = value
        return mail.as_bytes()

    def as_string(self) -> str:
        """The same as text."""
        return self.as_bytes().decode("utf-8")


def _header(address: Address) -> HeaderAddress:
    """An address for From or To. What looks encoded in a name would be decoded; with a space in it, it does not."""
    name = address.name.replace("=?", "= ?")
    return HeaderAddress(display_name=name, username=address.local, domain=address.domain)


def _encoding(text: str) -> str:
    """What makes the smaller mail: mostly ASCII stays readable."""
    beyond = sum(not character.isascii() for character in text)
    return "quoted-printable" if beyond * 6 < len(text) else "base64"
