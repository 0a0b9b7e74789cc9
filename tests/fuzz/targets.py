"""What is fuzzed: a format's good messages, the words that mean something in it, and a function that reads it.

A function returns for good and bad input alike; it raises where a parser lets out anything but its own error, or where
what was read does not fit what is written from it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.documents import DOCUMENTS, TAGS, read_document
from tests.sip.messages import SOURCE, offer, parsed, request
from tests.sip.torture import ALL as TORTURES
from voice.media import dtmf, rtcp, rtp
from voice.media.rtcp import ReportBlock, SenderInfo
from voice.media.rtp import RTPError, RTPPacket
from voice.sip import InviteFacts, SipError, SipMessage
from voice.sip.body import parts_of
from voice.sip.dialog import Dialog
from voice.sip.digest import Credentials, authorization_header, parse_authorization, parse_challenges, strongest
from voice.sip.digest_server import Authenticator, Verdict
from voice.sip.headers import parse_cseq, parse_name_addr, parse_params, parse_via, split_list
from voice.sip.info import key_of
from voice.sip.response import build_refusal, build_response, response_address
from voice.sip.scanners import is_scanner
from voice.sip.sdp import agree, parse_sdp, write_answer
from voice.sip.transactions import server_key
from voice.sip.uri import bracketed, parse_uri


@dataclass(frozen=True)
class Target:
    """seconds: what it gets of the minute that the tests take for all."""

    name: str
    seconds: float
    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]


PIECES = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b'"', b"<", b">", b"@", b";", b",", b":", b"=", b"%", b"[",
    b"]", b"\\", b"?", b"/", b"%00", b"%zz", b"\xed\xa0\x80", "é\u2028ﬀ١".encode(), b"a" * 300, b"..", b"::",
)  # fmt: skip
MULTIPART = b"--x\r\nContent-Type: application/sdp\r\n\r\n" + offer() + b"\r\n--x\r\n\r\nrest\r\n--x--"
DIGEST = (
    b'Digest realm="a, b", nonce="n\\"1", algorithm=SHA-256, qop="auth,auth-int", opaque="o", stale=TRUE',
    b'Basic realm="x", Digest realm=r, nonce=2, Digest realm="s", nonce="3", algorithm=MD5-sess',
    b'Digest username="alice", realm="vm", nonce="n", uri="sip:1@h", response="0a", qop=auth, nc=00000001, cnonce="c"',
)
URIS = (
    b"sip:1001:secret@pbx.example.com:5070;transport=udp;lr?Subject=a%20b&Route=%3Csip:h%3E",
    b"sips:%75se%72;par=u%40h@[2001:db8::10]:5061;maddr=192.0.2.1",
    b"sip:vm@h;target=sip:1001%40example.com;cause=486",
    b"tel:+1-201-555-0123;phone-context=example.com",
    b"urn:service:sos",
)
HEADERS = (
    b'"Bob \\"the\\" Builder" <sip:2000@192.0.2.10;user=phone>;tag=a;x="y,z"',
    b"Bob <sip:bob@example.com>, <tel:+1201>;q=0.5, sip:a@h;tag=3",
    b"SIP / 2.0 / UDP [2001:db8::1]:5060;branch=z9hG4bK1;rport;received=192.0.2.1 , SIP/2.0/TCP h",
    b"0009 INVITE",
    b"<sip:1001@pbx?Reason=SIP%3Bcause%3D486>;index=1, <sip:vm@h;cause=486>;index=1.1;mp=1",
)
SDPS = (
    offer(
        "a=rtcp:53020 IN IP4 192.0.2.1",
        "a=rtcp-mux",
        "a=rtpmap:0 PCMU/8000/1",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=sendonly",
        "m=video 0 RTP/AVP 31",
    ),
    offer("a=inactive", "c=IN IP6 ::1", "m=audio 4002/2 RTP/SAVP 8", "b=AS:64", formats="8 0 13 101 127"),
    b"v=0\no=- 1 1 IN IP4 h\nt=1 2\nm=audio 9 RTP/AVPF 96\na=rtpmap:96 pcma/8000\nc=IN IP4 224.2.1.1/127/3\n",
)
MESSAGES = (
    request("INVITE", "sip:vm@h;target=1001;cause=486", "Diversion: <sip:1@h>;reason=no-answer", body=offer()),
    request("INVITE", "sip:vm@h", "Record-Route: <sip:p;lr>", "History-Info: " + HEADERS[4].decode()),
    request("INVITE", body=MULTIPART, kind="multipart/mixed;boundary=x"),
    request("INFO", "sip:1@h", "k: timer, 100rel", "Require: x", body=b"Signal=5\r\n", kind="application/dtmf-relay"),
    request("REGISTER", "sip:h", "Authorization: " + DIGEST[2].decode(), "User-Agent: friendly-scanner"),
    build_response(parsed(request("BYE")), 401, headers=(("WWW-Authenticate", DIGEST[0].decode()),)),
    *(torture.data for torture in TORTURES),
)
NAMES = tuple(
    f"\r\n{name}: ".encode()
    for name in ("Via", "v", "From", "t", "Call-ID", "CSeq", "m", "Content-Length", "l", "c", "Record-Route", "Route",
                 "Diversion", "History-Info", "Require", "Authorization", "Content-Disposition", "e", "Session-Expires")
)  # fmt: skip
PACKETS = (
    *(
        rtp.build(RTPPacket(payload_type, 65535, 2**32 - 1, 1, b"\xd5" * size, marker=marker))
        for payload_type, size, marker in ((0, 160, True), (8, 0, False), (101, 4, False), (13, 1, False))
    ),
    b"\x90\x80\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\xbe\xde\x00\x01\x10\xff\x00\x00" + b"\xff" * 160,
    b"\xb2\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03" + bytes(8) + b"\xbe\xde\x00\x00" + b"\xff" * 156 + b"\0\0\0\4",
)
REPORTS = (
    rtcp.build(1, "a@h", SenderInfo(2**64 - 1, 160, 1, 160), ReportBlock(2, 255, -3, 2**32 - 1, 4, 5, 6), goodbye=True),
    rtcp.build(1, "", None),
    rtcp.build(1, "b" * 30, None, ReportBlock(2, 0, 2**23 - 1, 0, 0, 0, 0)),
    b"\x81\xcb\0\3\0\0\0\1\5later\0\0",
    b"\x80\xcc\0\3\0\0\0\1PoC1\0\0\0\0",
    b"\xa0\xc9\0\2\0\0\0\1\0\0\0\4",
)
ALICE = Credentials("alice", "wonderland")


def read_message(data: bytes) -> None:
    """Everything that is done with a datagram before a call has to do with it."""
    is_scanner(data)
    try:
        message = SipMessage(data, SOURCE)
    except SipError as error:
        answer = build_refusal(data, error, SOURCE, "tag")
        assert answer is None or answer.startswith(b"SIP/2.0 ")
        return
    if not message.is_request:
        for value in message.raw_values("WWW-Authenticate"):
            read_digest(value.encode("utf-8", "surrogateescape"))
        return
    answer = SipMessage(build_response(message, 200, to_tag="ours"))
    assert (answer.code, answer.call_id, answer.cseq) == (200, message.call_id, message.cseq)
    assert response_address(message)[0] == SOURCE[0]
    assert server_key(message)
    InviteFacts.of(message)
    with contextlib.suppress(SipError):
        key_of(message)
    with contextlib.suppress(SipError):
        assert Authenticator("vm", {"alice": "x"}, b"k").check(message, 1.0).verdict is not Verdict.RIGHT
    if not message.to.tag:
        _follow(message)
    with contextlib.suppress(SipError):
        if message.sdp:
            write_answer(message.sdp, agree(message.sdp, versions=(4, 6)), "192.0.2.1", 20000, "1", 1)


def _follow(message: SipMessage) -> None:
    """The dialog of an INVITE either is refused or gives a BYE that anybody can read."""
    try:
        dialog = Dialog(message, "ours", ("192.0.2.1", 5060))
    except SipError:
        return
    bye = SipMessage(dialog.build_request("BYE", "z9hG4bK1")[0])
    assert (bye.method, bye.from_.tag, bye.to.tag) == ("BYE", "ours", message.from_.tag)


def read_sdp(data: bytes) -> None:
    try:
        offered = parse_sdp(data.decode("utf-8", "replace"))
        agreed = agree(offered, versions=(4, 6))
    except SipError:
        return
    answer = parse_sdp(write_answer(offered, agreed, "192.0.2.1", 20000, "1", 1).decode())
    assert len(answer.media) == len(offered.media), "a line for each line (RFC 3264 section 6)"
    assert agree(answer).law is agreed.law


def read_uri(data: bytes) -> None:
    try:
        uri = parse_uri(data.decode("utf-8", "surrogateescape"))
    except SipError:
        return
    assert parse_uri(str(uri)) == uri
    if uri.is_sip:
        place = bracketed(uri.host) + (f":{uri.port}" if uri.port else "")
        assert (parse_uri(f"sip:{place}").host, parse_uri(f"sip:{place}").port) == (uri.host, uri.port)
        assert uri.address is None or uri.address[1] > 0


def read_header(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for value in (text, *split_list(text)[:20]):
        for parse in (parse_name_addr, parse_cseq, parse_params):
            with contextlib.suppress(SipError):
                parse(value)
        with contextlib.suppress(SipError):
            via = parse_via(value)
            again = parse_via(via.answered_to(SOURCE))
            assert (again.transport, again.host, again.port) == (via.transport, via.host, via.port)


def read_digest(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(SipError):
        parse_authorization(text)
    challenge = strongest(parse_challenges([text]))
    if challenge is None:
        return
    _, value = authorization_header(challenge, ALICE, "INVITE", "sip:1@h", nonce_count=1, cnonce="c")
    assert "\r" not in value
    assert "\n" not in value
    answer = parse_authorization(value)
    assert answer is not None
    assert (answer.realm, answer.nonce, answer.username) == (challenge.realm, challenge.nonce, "alice")


def read_body(data: bytes) -> None:
    for kind in ("multipart/mixed;boundary=x", 'multipart/alternative; boundary="x"', "application/sdp", ""):
        with contextlib.suppress(SipError):
            assert len(parts_of(kind, data)) <= 400


def read_rtp(data: bytes) -> None:
    try:
        packet = rtp.parse(data)
    except RTPError:
        return
    assert len(packet.payload) <= rtp.MAX_PAYLOAD
    assert rtp.parse(rtp.build(packet)) == packet


def read_rtcp(data: bytes) -> None:
    try:
        compound = rtcp.parse(data)
    except RTPError:
        return
    for block in compound.blocks or (None,):
        again = rtcp.parse(rtcp.build(compound.ssrc or 0, "c", compound.sender, block))
        assert (again.ssrc, again.sender) == (compound.ssrc or 0, compound.sender)
        assert again.blocks == (() if block is None else (block,))


def read_events(data: bytes) -> None:
    """The packets of a stream of events, eight bytes each: timestamp and payload."""
    receiver = dtmf.EventReceiver()
    for start in range(0, len(data), 8):
        with contextlib.suppress(RTPError):
            key = receiver.put(1, data[start], data[start + 4 : start + 8])
            assert key is None or key in dtmf.KEYS
            dtmf.parse_event(data[start:])


TARGETS = (
    Target("message", 18.0, read_message, MESSAGES, PIECES + NAMES + URIS + HEADERS),
    Target("sdp", 7.0, read_sdp, SDPS, (*PIECES, b"m=audio 1 RTP/AVP 0", b"a=rtpmap:", b"a=rtcp:1 ", b"c=IN IP4 ")),
    Target("uri", 6.0, read_uri, URIS, (*PIECES, b"sip:", b"tel:", b"[::1]", b"%40", b"[::ffff:1.2.3.4]")),
    Target("header", 7.0, read_header, HEADERS, (*PIECES, b"SIP/2.0/UDP ", b";tag=", b"<sip:a@h>", *URIS)),
    Target("digest", 8.0, read_digest, DIGEST, (*PIECES, b"Digest ", b"realm=", b'nonce="x"', b"algorithm=", b"qop=")),
    Target(
        "body", 4.0, read_body, (MULTIPART, MULTIPART * 3), (*PIECES, b"\r\n--x", b"--", b"Content-Type: multipart/x")
    ),
    Target("rtp", 4.0, read_rtp, PACKETS, (*PIECES, bytes(4), b"\xbe\xde", b"\xff" * 200)),
    Target("rtcp", 4.0, read_rtcp, REPORTS, (*PIECES, bytes(4), b"\x81\xc9", b"\x80\xc8\0\6", b"\xff" * 24)),
    Target("twiml", 6.0, read_document, DOCUMENTS, (*PIECES, *TAGS)),
    Target("event", 2.0, read_events, (b"\0\0\0\1\5\x0a\0\xa0" * 4, b"\1\0\0\0\x0b\x8a\3\x20" * 3), PIECES),
)
