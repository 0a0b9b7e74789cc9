"""One SIP message, parsed: pyVoIP's SIPMessage with a parser that is tolerant in form and strict in content."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import pyVoIP.VoIP  # noqa: F401  pyVoIP.SIP can only be imported after it
from pyVoIP.SIP import SIPMessage, SIPMessageType, SIPStatus

from voice.sip import pyvoip_shape
from voice.sip.body import Part, media_type, parts_of
from voice.sip.errors import SipError
from voice.sip.headers import (
    SINGLE,
    TOKEN,
    NameAddr,
    Via,
    canonical_name,
    parse_cseq,
    parse_name_addr,
    parse_via,
    split_fields,
    split_list,
)
from voice.sip.sdp import SessionDescription, parse_sdp
from voice.sip.uri import SipUri, parse_uri

if TYPE_CHECKING:
    from voice.sip.transactions import ServerTransaction

Address = tuple[str, int]
NOWHERE: Address = ("", 0)
MAX_VIAS = 100
_VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+", re.I)
_CALL_ID = re.compile(r"[!-~]+")
SIP_VERSION = "SIP/2.0"
SDP_TYPE = "application/sdp"


class SipMessage(SIPMessage):
    """A request or response as it came from `source`.

    method, uri: of a request (a response has method "" and no uri); code: of a response (a request has 0), and `status`
    is pyVoIP's enum nearest to it. from_, to, call_id, cseq, vias: the mandatory headers. content: the body's bytes.
    headers, body, authentication: pyVoIP's own shape. Raises SipError (400, 416, 505) where it cannot be taken.
    """

    def __init__(self, data: bytes, source: Address = NOWHERE) -> None:
        self.source = source
        self.method = ""
        self.uri = SipUri("")
        self.version = SIP_VERSION
        self.code = 0
        self.reason = ""
        self.fields: list[tuple[str, str]] = []
        self.content = b""
        self.vias: list[Via] = []
        self.from_ = self.to = NameAddr("", SipUri(""))
        self.call_id = ""
        self.cseq = (0, "")
        # Set by the client: the server transaction that answers this request, None where it is answered without memory.
        self.transaction: ServerTransaction | None = None
        super().__init__(data)

    def parse(self, data: bytes) -> None:
        """Replaces pyVoIP's parser."""
        start_line, self.fields, content = split_message(data)
        self._head_size = len(data) - len(content)
        self.heading = start_line.encode("utf-8", "surrogateescape")
        self._check_repeated()
        self._parse_start_line(start_line)
        self._parse_mandatory()
        self.content = self._cut_content(content)
        pyvoip_shape.fill_headers(self)

    def header(self, name: str) -> str | None:
        """The first value of a header (any case, compact names known), or None."""
        wanted = canonical_name(name)
        return next((value for key, value in self.fields if key == wanted), None)

    def raw_values(self, name: str) -> list[str]:
        """Every line of a header as it came, in order."""
        wanted = canonical_name(name)
        return [value for key, value in self.fields if key == wanted]

    def header_values(self, name: str) -> list[str]:
        """Every value of a list header: repeated lines and comma-joined values alike; quotes and <> are respected."""
        return [item for value in self.raw_values(name) for item in split_list(value)]

    def accepts(self, kind: str) -> bool:
        """Whether its sender takes a body of this media type (RFC 3261 section 20.1); without Accept it does."""
        ranges = (kind, kind.partition("/")[0] + "/*", "*/*")
        given = self.header_values("Accept")
        return self.header("Accept") is None or any(media_type(value) in ranges for value in given)

    @cached_property
    def names(self) -> list[str]:
        """The names of all headers as they were written, in order."""
        lines = self.raw[: self._head_size].decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        return [line.partition(":")[0].rstrip(" \t") for line in lines if ":" in line and line[0] not in " \t"]

    @property
    def is_request(self) -> bool:
        return bool(self.type == SIPMessageType.MESSAGE)

    @cached_property
    def parts(self) -> list[Part]:
        """The body's parts. SipError 400 for a broken multipart body."""
        return parts_of(self.header("Content-Type"), self.content, self.header("Content-Disposition") or "")

    @cached_property
    def sdp(self) -> SessionDescription | None:
        """The session description in the body or in one of its parts.

        SipError 400 where it is broken, 415 for a body that must be understood and is not (RFC 3261 section 8.2.3).
        """
        if self.content and (self.header("Content-Encoding") or "identity").strip().lower() != "identity":
            raise SipError(415, "encoded body", (("Accept-Encoding", "identity"),))
        for part in self.parts:
            if part.media_type == SDP_TYPE:
                return parse_sdp(part.content.decode("utf-8", "replace"))
        if any(not part.is_optional for part in self.parts):
            raise SipError(415, "no session description in the body", (("Accept", SDP_TYPE),))
        return None

    @cached_property
    def contact(self) -> NameAddr | None:
        """The Contact of a dialog-forming message, or None where there is none of use."""
        for value in self.header_values("Contact"):
            try:
                contact = parse_name_addr(value)
            except SipError:
                continue
            if contact.uri.is_sip:
                return contact
        return None

    def _check_repeated(self) -> None:
        seen: set[str] = set()
        for name, _ in self.fields:
            if name in SINGLE and name in seen:
                raise SipError(400, f"repeated header {name}")
            seen.add(name)

    def _parse_start_line(self, line: str) -> None:
        words = line.split(" ")
        if _VERSION.fullmatch(words[0]):
            self._parse_status_line(words)
            return
        self.type = SIPMessageType.MESSAGE
        if len(words) < 3 or not TOKEN.fullmatch(words[0]) or not _VERSION.fullmatch(words[-1]):
            raise SipError(400, "malformed request line")
        self.version = words[-1].upper()
        if self.version != SIP_VERSION:
            raise SipError(505, "unknown SIP version")
        if len(words) != 3:
            raise SipError(400, "malformed request line")
        self.method = words[0]
        self.uri = parse_uri(words[1])
        if self.uri.scheme not in ("sip", "sips", "tel"):
            raise SipError(416, "unknown scheme in the Request-URI")

    def _parse_status_line(self, words: list[str]) -> None:
        self.type = SIPMessageType.RESPONSE
        if words[0].upper() != SIP_VERSION:
            raise SipError(505, "unknown SIP version")
        code = words[1] if len(words) > 1 else ""
        if len(code) != 3 or not (code.isascii() and code.isdigit()) or not 100 <= int(code) <= 699:
            raise SipError(400, "malformed status line")
        self.code, self.reason = int(code), " ".join(words[2:])
        self.status = _nearest_status(self.code)

    def _parse_mandatory(self) -> None:
        for name in ("via", "from", "to", "call-id", "cseq"):
            if not self.header(name):
                raise SipError(400, f"no {name}")
        vias = self.header_values("Via")
        if not 0 < len(vias) <= MAX_VIAS:
            raise SipError(400, "no via, or too many")
        self.vias = [parse_via(value) for value in vias]
        self.from_ = parse_name_addr(self.header("From") or "")
        self.to = parse_name_addr(self.header("To") or "")
        self.call_id = self.header("Call-ID") or ""
        if not _CALL_ID.fullmatch(self.call_id):
            raise SipError(400, "malformed Call-ID")
        self.cseq = parse_cseq(self.header("CSeq") or "")
        if self.is_request and self.cseq[1] != self.method:
            raise SipError(400, "CSeq of another method")
        hops = self.header("Max-Forwards")
        if hops is not None and not (hops.isascii() and hops.isdigit() and len(hops) <= 10):
            raise SipError(400, "malformed Max-Forwards")

    def _cut_content(self, content: bytes) -> bytes:
        length = self.header("Content-Length")
        if length is None:
            return content
        if not (length.isascii() and length.isdigit()) or len(length) > 9:
            raise SipError(400, "malformed Content-Length")
        if int(length) > len(content):
            raise SipError(400, "body shorter than its Content-Length")
        # Bytes behind the body of a datagram are dropped (RFC 3261 section 18.3).
        return content[: int(length)]


def split_message(data: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """Start line, header fields, body. Undecodable bytes survive as surrogates and are echoed as they came."""
    data = data.lstrip(b"\r\n")
    head, end, content = data.partition(b"\r\n\r\n")
    if b"\r" not in data.partition(b"\n")[0]:
        # A peer that ends its lines with LF alone.
        head, end, content = data.partition(b"\n\n")
        head = head if b"\r" in head else head.replace(b"\n", b"\r\n")
    if not end:
        raise SipError(400, "no end of headers")
    start_line, _, rest = head.decode("utf-8", "surrogateescape").partition("\r\n")
    return start_line, split_fields(rest) if rest else [], content


def _nearest_status(code: int) -> SIPStatus:
    for candidate in (code, code // 100 * 100):
        try:
            return SIPStatus(candidate)
        except ValueError:
            continue
    return SIPStatus(500)


def content_kind(message: SipMessage) -> str:
    """The media type of the body, empty where there is no body."""
    return media_type(message.header("Content-Type")) if message.content else ""
