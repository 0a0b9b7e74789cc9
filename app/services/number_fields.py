"""Checks of what people type for a number: what is dialled, and where its documents come from."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from sqlalchemy import select

from app import net
from app.extensions import db
from app.models import Alias, Mailbox, Number
from app.models.calls import CATCH_ALL
from app.services import fields
from app.services.context import settings

LONGEST_NUMBER, LONGEST_NAME = 64, 80
METHODS = ("POST", "GET")
_DIALLED = re.compile(rf"(?=.{{1,{LONGEST_NUMBER}}}\Z)\+?[0-9*#]+", re.ASCII)
_USER = re.compile(rf"(?=.{{1,{LONGEST_NUMBER}}}\Z)[a-z0-9][a-z0-9._-]*", re.ASCII)
_SEPARATORS = re.compile(r"[\s().\-/]")


def spelled(value: str) -> str:
    """A number as it is kept: without parameters and visual separators; a SIP user name in lower case."""
    value = value.split(";", maxsplit=1)[0].strip()
    if re.search("[A-Za-z]", value):
        return value.lower()
    return _SEPARATORS.sub("", value)


def alike(number: str) -> tuple[str, ...]:
    """All spellings of a number, this one first: the plus sign before a number of digits may be left out."""
    bare = number.removeprefix("+")
    if not bare.isdigit():
        return (number,)
    return (number, bare if number != bare else f"+{bare}")


def is_number(value: str) -> bool:
    """Whether a spelled number is one that can be dialled, or CATCH_ALL."""
    return value.isascii() and (_DIALLED.fullmatch(value) or _USER.fullmatch(value)) is not None


def number(value: str) -> str:
    """What can be dialled: digits, * and #, with a + before them or without; or a SIP user name; or CATCH_ALL."""
    found = spelled(value)
    if not found:
        raise fields.Problem(
            f"Type what callers dial, such as 5551234, or {CATCH_ALL} for all that nothing else answers."
        )
    if not is_number(found):
        raise fields.Problem(
            f"A number is up to {LONGEST_NUMBER} digits, * and #, such as 5551234, +4930123 or *55, or a SIP user name."
        )
    phone = settings().phone
    owners = {each for own in (phone.own_number, phone.any_number) if own for each in alike(spelled(own))}
    if found in owners:
        raise fields.Problem(f"Owners dial {found} to hear their messages (phone.own_number, phone.any_number).")
    return found


def taken(number: str, number_id: str | None = None) -> str | None:
    """Who has a number already, but for the row of that id, as a sentence; None where nobody has."""
    bare = number.removeprefix("+")
    box = select(Mailbox.extension).join(Alias, Alias.mailbox_id == Mailbox.id).where(Alias.number == bare)
    if fields.is_extension(bare) and (extension := db.session.scalar(box)):
        return f"{bare} leads to mailbox {extension}. Give that mailbox a document of its own instead."
    others = select(Number.number).where(Number.number.in_(alike(number)))
    if other := db.session.scalar(others.where(Number.id != number_id) if number_id else others):
        return f"The number {other} is there already."
    return None


def name(value: str) -> str:
    """What a number is for, on one line."""
    value = fields.name(value)
    if len(value) > LONGEST_NAME:
        raise fields.Problem(f"A number's name has at most {LONGEST_NAME} characters; this one has {len(value)}.")
    return value


def method(value: str) -> str:
    """POST or GET; empty is POST."""
    value = value.strip().upper() or METHODS[0]
    if value not in METHODS:
        raise fields.Problem(f"The method is {METHODS[0]} or {METHODS[1]}.")
    return value


def voice_url(value: str) -> str:
    """The address of the first document."""
    if not value.strip():
        raise fields.Problem("Type the address of the document that answers, such as https://example.com/voice.")
    return url(value)


def url(value: str) -> str:
    """An http or https address as it was typed, since its very text is signed; or nothing."""
    value = value.strip()
    if not value:
        return ""
    try:
        net.checked_url(value)
    except net.BadRequest as error:
        raise fields.Problem(str(error).replace("/hook", "/voice")) from None
    if re.search(r"\s", value):
        raise fields.Problem("An address holds no spaces; write %20 for one.")
    return value


def host_of(address: str) -> str:
    """The host of an address that is kept; "" for none, and for one that another version took."""
    try:
        return net.checked_url(address).host
    except net.BadRequest:
        return ""


def hidden_host(address: str, allowed: Iterable[str]) -> str:
    """The host of an address where it is private and in no allowed network, so that nothing is fetched; "" else.

    Names are not looked up here, but for localhost: where they lead may change until the call comes.
    """
    host = host_of(address)
    literal = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
    try:
        ipaddress.ip_address(literal)
    except ValueError:
        return ""
    networks = [ipaddress.ip_network(text, strict=False) for text in allowed]
    return "" if net.may_connect(literal, networks) else host


def is_here(host: str) -> bool:
    """Whether a host is this very one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
