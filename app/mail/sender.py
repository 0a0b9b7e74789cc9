"""Addresses as headers and SMTP need them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna

from app.config import Settings
from app.delivery.errors import PermanentError

NAME = "Voicemail"


@dataclass(frozen=True)
class Address:
    """Who a mail is from or for. address: its domain in ASCII (RFC 5891), its local part as it is."""

    name: str
    address: str

    @property
    def local(self) -> str:
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def needs_utf8(self) -> bool:
        """Whether only servers with SMTPUTF8 (RFC 6531) take it."""
        return not self.address.isascii()


def address_of(text: str, name: str = "") -> Address:
    """An address as people write it; PermanentError where it can be none."""
    local, _, domain = text.rpartition("@")
    if not local or not domain or not text.isprintable():
        raise PermanentError(f"{text[:100]!r} is not an address")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise PermanentError(f"the address {text} has a domain that cannot be") from None
    return Address(name, f"{local}@{domain}")


def sender_of(settings: Settings) -> Address:
    """Who our mails are from: smtp.from, else voicemail@ and the name under which the portal or this host is known."""
    text = settings.smtp.sender
    if not text:
        return Address(NAME, f"voicemail@{_own_domain(settings)}")
    name, bracket, address = text.rpartition("<")
    return address_of(address.removesuffix(">").strip(), name.strip().strip('"')) if bracket else address_of(text, NAME)


def _own_domain(settings: Settings) -> str:
    portal = urlsplit(settings.public_url).hostname or ""
    if "." in portal and not _is_number(portal):
        return portal
    return settings.host_name.strip(".").lower() or "localhost"


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
