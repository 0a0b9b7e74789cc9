"""message-summary (RFC 3842): what a SUBSCRIBE asks for, and the body of a NOTIFY. Pure: values in, values out."""

from __future__ import annotations

from voice.mailbox import MessageCounts
from voice.sip.errors import SipError
from voice.sip.headers import parse_params
from voice.sip.message import SipMessage
from voice.sip.response import ALLOW_EVENTS

PACKAGE = "message-summary"
CONTENT_TYPE = "application/simple-message-summary"
MIN_SECONDS = 60
DEFAULT_SECONDS = 3600
_ACCEPTED = (CONTENT_TYPE, "application/*", "*/*")


def body_of(counts: MessageCounts, account: str) -> bytes:
    """The body. account: the mailbox's URI; urgent messages are counted in new and old ones too."""
    waiting = "yes" if counts.new else "no"
    voice = f"{counts.new}/{counts.saved} ({counts.urgent_new}/{counts.urgent_saved})"
    return f"Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {voice}\r\n".encode()


def event_id(request: SipMessage) -> str:
    """The `id` of the Event header, which all requests of a subscription share; empty where there is none.

    SipError 489 for another package (RFC 6665 section 4.2.1.1).
    """
    package, _, params = (request.header("Event") or "").partition(";")
    if package.strip().lower() != PACKAGE:
        raise SipError(489, "another event package", (ALLOW_EVENTS,))
    return parse_params(params).get("id", "")[:128]


def check_accept(request: SipMessage) -> None:
    """SipError 406 where the phone takes no application/simple-message-summary. Without Accept it does."""
    values = request.header_values("Accept")
    for value in values:
        kind, _, params = value.partition(";")
        if kind.strip().lower() in _ACCEPTED and parse_params(params).get("q", "1").strip("0.") != "":
            return
    if values:
        raise SipError(406, "another body is wanted", (("Accept", CONTENT_TYPE),))


def granted_seconds(request: SipMessage, longest: int) -> int:
    """How long a SUBSCRIBE is granted; 0 ends it. SipError 400, or 423 with Min-Expires for too short a time."""
    text = request.header("Expires")
    if text is None:
        return min(DEFAULT_SECONDS, longest)
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise SipError(400, "malformed Expires")
    seconds = int(text)
    if 0 < seconds < MIN_SECONDS:
        raise SipError(423, "too short a time", (("Min-Expires", str(MIN_SECONDS)),))
    return min(seconds, longest)
