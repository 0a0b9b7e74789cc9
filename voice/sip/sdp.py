"""Session descriptions: offers read, answers written (RFC 4566, RFC 3264). Pure: text in, values out.

One audio stream of G.711 over plain RTP is taken, with telephone-event beside it (RFC 3551, RFC 4733); every other
media line is refused with port 0. What cannot be taken raises SipError 488.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from voice.media.g711 import Law
from voice.sip.address import version_of
from voice.sip.errors import SipError

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
PLAIN_RTP = ("RTP/AVP", "RTP/AVPF")
STATIC = {Law.PCMU.payload_type: Law.PCMU, Law.PCMA.payload_type: Law.PCMA}
OFFERED_EVENT = 101
USUAL_PTIME = 20
PTIMES = range(10, 61, 10)
HELD = "0.0.0.0"  # noqa: S104  what RFC 2543 wrote for hold; `::` is read as the same
MAX_LINES = 2000
ALWAYS = "0 0"
_TIME = re.compile(r"[0-9]{1,20} [0-9]{1,20}")


@dataclass
class MediaLine:
    """One m= line with the attributes that matter.

    rtpmaps: payload type to (name in upper case, clock rate, channels); rtcp: port and address of a=rtcp (RFC 3605),
    the address empty where it is that of the line; mux: a=rtcp-mux (RFC 5761); ptime, maxptime: ms, 0 where not said.
    """

    kind: str
    port: int
    protocol: str
    formats: list[str]
    address: str | None
    direction: str
    rtpmaps: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    rtcp: tuple[int, str] | None = None
    mux: bool = False
    ptime: int = 0
    maxptime: int = 0


@dataclass
class SessionDescription:
    """A parsed description; nothing in it has been judged yet. time: the value of t=."""

    media: list[MediaLine]
    time: str = ALWAYS


@dataclass(frozen=True)
class Agreed:
    """What an offer and our abilities have in common, or what the other side's answer settled.

    line: the place of the audio line; payload_type: of the law in this session; event_payload_type: None without
    telephone-event; host, port: where the other side wants RTP; direction: as the other side wrote it;
    held: we are not to send; rtcp: where the other side wants RTCP; mux: RTP and RTCP share a port;
    ptime: ms of audio in each packet that we send.
    """

    line: int
    law: Law
    payload_type: int
    event_payload_type: int | None
    host: str
    port: int
    protocol: str
    direction: str
    rtcp: tuple[str, int] | None = None
    mux: bool = False
    ptime: int = USUAL_PTIME

    @property
    def held(self) -> bool:
        return self.direction in ("sendonly", "inactive") or self.host == HELD


def parse_sdp(text: str) -> SessionDescription:
    """SipError 400 where the text is no session description."""
    session = MediaLine("", 0, "", [], None, "sendrecv")
    media: list[MediaLine] = []
    time = ALWAYS
    lines = re.split(r"\r\n|\r|\n", text)
    if len(lines) > MAX_LINES or not lines or lines[0].strip() != "v=0":
        raise SipError(400, "malformed session description")
    for line in lines:
        kind, equals, value = line.partition("=")
        if not equals:
            continue
        target = media[-1] if media else session
        if kind == "m":
            media.append(_media_line(value, session))
        elif kind == "c":
            target.address = _connection(value)
        elif kind == "t" and _TIME.fullmatch(value.strip()):
            time = value.strip()
        elif kind == "a":
            _attribute(target, value.strip())
    return SessionDescription(media, time)


def agree(offer: SessionDescription, keep: Law | None = None, versions: tuple[int, ...] = (4,)) -> Agreed:
    """Choose from an offer (or read an answer): the first audio line that can be taken, the first law in its order.

    keep: the law of a running session, which no re-INVITE may change since the recording is in it; versions: of IP that
    audio can be sent over. SipError 488.
    """
    problem = "no audio that can be taken"
    for place, line in enumerate(offer.media):
        if line.kind != "audio" or line.protocol.upper() not in PLAIN_RTP or line.port == 0:
            continue
        found = _law(line, keep)
        if found is None:
            problem = "no common codec"
        elif not 0 < line.port < 65536:
            problem = "port out of range"
        elif not _usable(line.address, versions):
            problem = "no usable address"
        else:
            law, payload_type = found
            host = line.address or ""
            rtcp_port, rtcp_host = line.rtcp or (line.port + 1, "")
            if version_of(rtcp_host) != version_of(host):
                rtcp_host = ""
            return Agreed(
                place,
                law,
                payload_type,
                _event(line),
                host,
                line.port,
                line.protocol,
                line.direction,
                (rtcp_host or host, line.port if line.mux else rtcp_port),
                line.mux,
                _ptime(line),
            )
    raise SipError(488, problem)


def write_answer(
    offer: SessionDescription, agreed: Agreed, host: str, port: int, session_id: str, version: int
) -> bytes:
    """The answer to an offer: the agreed line with one codec, every other line refused (RFC 3264 section 6)."""
    # The answer's t= is the offer's.
    lines = _head(host, session_id, version, offer.time)
    for place, line in enumerate(offer.media):
        if place == agreed.line:
            lines += _audio(
                agreed.protocol,
                port,
                [(agreed.law, agreed.payload_type)],
                agreed.event_payload_type,
                MIRRORED[agreed.direction],
                agreed.ptime,
            )
            # Last, so that it belongs to this line.
            lines += ["a=rtcp-mux"] if agreed.mux else []
        else:
            lines.append(f"m={line.kind} 0 {line.protocol} {' '.join(line.formats)}")
    return _text(lines)


def write_offer(host: str, port: int, session_id: str, version: int, keep: Law | None = None) -> bytes:
    """Our own offer, for an INVITE that came without one."""
    laws = [keep] if keep else [Law.PCMU, Law.PCMA]
    codecs = [(law, law.payload_type) for law in laws]
    return _text(_head(host, session_id, version) + _audio("RTP/AVP", port, codecs, OFFERED_EVENT, "sendrecv"))


def _head(host: str, session_id: str, version: int, time: str = ALWAYS) -> list[str]:
    place = f"IN IP{version_of(host) or 4} {host}"
    return ["v=0", f"o=- {session_id} {version} {place}", "s=-", f"c={place}", f"t={time}"]


def _audio(
    protocol: str,
    port: int,
    codecs: list[tuple[Law, int]],
    event: int | None,
    direction: str,
    ptime: int = USUAL_PTIME,
) -> list[str]:
    formats = [str(payload_type) for _, payload_type in codecs] + ([] if event is None else [str(event)])
    lines = [f"m=audio {port} {protocol} {' '.join(formats)}"]
    lines += [f"a=rtpmap:{payload_type} {law.name}/8000" for law, payload_type in codecs]
    if event is not None:
        lines += [f"a=rtpmap:{event} telephone-event/8000", f"a=fmtp:{event} 0-15"]
    return [*lines, f"a=ptime:{ptime}", f"a={direction}"]


def _text(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n").encode()


def _media_line(value: str, session: MediaLine) -> MediaLine:
    words = value.split()
    if len(words) < 4:
        raise SipError(400, "malformed media line")
    port = words[1].partition("/")[0]
    if not (port.isascii() and port.isdigit()) or len(port) > 9:
        raise SipError(400, "malformed media port")
    return MediaLine(words[0].lower(), int(port), words[2], words[3:][:200], session.address, session.direction)


def _connection(value: str) -> str | None:
    """The address, an IPv6 one as the system writes it; None for a name or another type than is said."""
    words = value.split()
    if len(words) != 3 or words[0].upper() != "IN":
        return None
    address = words[2].partition("/")[0]
    version = version_of(address)
    if not version or words[1].upper() != f"IP{version}" or "%" in address:
        return None
    return HELD if address == "::" else str(ipaddress.ip_address(address))


def _attribute(line: MediaLine, value: str) -> None:
    name, _, text = value.partition(":")
    if name in DIRECTIONS:
        line.direction = name
    elif name == "rtcp-mux":
        line.mux = True
    elif name == "ptime":
        line.ptime = _small(text.strip(), 1000) or 0
    elif name == "maxptime":
        line.maxptime = _small(text.strip(), 1000) or 0
    elif name == "rtcp":
        line.rtcp = _rtcp(text.strip())
    elif name == "rtpmap":
        payload_type, _, encoding = text.strip().partition(" ")
        codec, _, rest = encoding.strip().partition("/")
        rate, _, channels = rest.partition("/")
        if _small(payload_type, 127) is not None and _small(rate, 10**6) is not None:
            line.rtpmaps[int(payload_type)] = (codec.upper(), int(rate), _small(channels, 99) or 1)


def _ptime(line: MediaLine) -> int:
    """What the other side asks for, where we can send that; never over what it takes at most (RFC 4566 section 6)."""
    ptime = line.ptime if line.ptime in PTIMES else USUAL_PTIME
    if line.maxptime >= PTIMES[0]:
        ptime = min(ptime, line.maxptime // 10 * 10)
    return ptime


def _rtcp(text: str) -> tuple[int, str] | None:
    port, _, address = text.partition(" ")
    number = _small(port, 65535)
    if not number:
        return None
    return number, (_connection(address) or "") if address else ""


def _payload_types(line: MediaLine) -> list[int]:
    return [int(item) for item in line.formats if _small(item, 127) is not None]


def _law(line: MediaLine, keep: Law | None) -> tuple[Law, int] | None:
    for payload_type in _payload_types(line):
        if payload_type in line.rtpmaps:
            name, rate, channels = line.rtpmaps[payload_type]
            law = {"PCMU": Law.PCMU, "PCMA": Law.PCMA}.get(name) if (rate, channels) == (8000, 1) else None
        else:
            law = STATIC.get(payload_type)
        if law is not None and keep in (None, law):
            return law, payload_type
    return None


def _event(line: MediaLine) -> int | None:
    for payload_type in _payload_types(line):
        if line.rtpmaps.get(payload_type, ("", 0, 1))[:2] == ("TELEPHONE-EVENT", 8000):
            return payload_type
    return None


def _usable(address: str | None, versions: tuple[int, ...]) -> bool:
    if address is None or address == HELD:
        return address == HELD
    ip = ipaddress.ip_address(address)
    if ip.version not in versions or ip.is_multicast or ip.is_unspecified:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return ip.ipv4_mapped is None
    return address != "255.255.255.255" and ip.packed[0] != 0


def _small(text: str, limit: int) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 7 and int(text) <= limit else None
