"""Datagrams that no sane peer sends, for the SIP port and for the RTP port of a live call."""

from __future__ import annotations

import random

from voice.media.rtp import RTPPacket, build

CRLF = b"\r\n"


def _invite(number: int, **change: bytes | None) -> bytes:
    """An INVITE that is right but for `change`: header (with _ for -) or part to its line, None to leave it out."""
    parts: dict[str, bytes | None] = {
        "start": b"INVITE sip:7001@127.0.0.1 SIP/2.0",
        "via": b"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKbad%d" % number,
        "from_": b"From: <sip:bad@127.0.0.1>;tag=%d" % number,
        "to": b"To: <sip:7001@127.0.0.1>",
        "call_id": b"Call-ID: bad%d" % number,
        "cseq": b"CSeq: 1 INVITE",
        "contact": b"Contact: <sip:bad@127.0.0.1:9>",
        "length": b"Content-Length: 0",
        "body": b"",
    }
    parts.update(change)
    body = parts.pop("body") or b""
    return CRLF.join(line for line in parts.values() if line is not None) + CRLF + CRLF + body


def _described(number: int, *lines: bytes) -> bytes:
    body = CRLF.join(lines) + CRLF
    return _invite(
        number, contact=b"Content-Type: application/sdp", length=b"Content-Length: %d" % len(body), body=body
    )


HEAD = (b"v=0", b"o=- 1 1 IN IP4 127.0.0.1", b"s=-")
CHANCE = random.Random(4)

MALFORMED: list[bytes] = [
    b"",
    b"\0",
    b"\r\n\r\n",
    b"\r\n" * 500,
    b"hello",
    b"A" * 65000,
    CHANCE.randbytes(1400),
    b"\xff\xfe" * 300,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\0\1\0\x3c\x21\x12\xa4\x42" + b"\0" * 60,
    b"INVITE",
    b"INVITE sip:7001@127.0.0.1 SIP/2.0",
    b"INVITE sip:7001@127.0.0.1 SIP/2.0\r\n",
    b"SIP/2.0 200 OK\r\n\r\n",
    b"SIP/2.0 abc OK\r\nVia: x\r\n\r\n",
    b"SIP/2.0 99999999999999999999 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\n\r\n",
    _invite(1, start=b"INVITE  SIP/2.0"),
    _invite(2, start=b"INVITE sip:7001@127.0.0.1 SIP/7.0"),
    _invite(3, start=b"INVITE sip:%s@127.0.0.1 SIP/2.0" % (b"9" * 10000)),
    _invite(4, start=b"INVITE http://x SIP/2.0"),
    _invite(5, start=b"INV\0ITE sip:7001@127.0.0.1 SIP/2.0"),
    _invite(6, via=None),
    _invite(7, via=b"Via: nonsense"),
    _invite(8, via=b"Via: SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bK8"),
    _invite(9, via=CRLF.join([b"Via: SIP/2.0/UDP h;branch=z9hG4bK9"] * 400)),
    _invite(10, from_=None),
    _invite(11, from_=b'From: "unclosed <sip:a@b'),
    _invite(12, to=b"To:"),
    _invite(13, call_id=None),
    _invite(14, call_id=b"Call-ID: \xc3\x28\0"),
    _invite(15, cseq=b"CSeq: INVITE"),
    _invite(16, cseq=b"CSeq: 99999999999999999999 INVITE"),
    _invite(17, cseq=b"CSeq: 1 BYE"),
    _invite(18, length=b"Content-Length: -1"),
    _invite(19, length=b"Content-Length: 100000"),
    _invite(20, contact=b" folded at the beginning"),
    _invite(21, contact=b"no colon in this line"),
    _invite(22, contact=b"Contact: <sip:%zz@%00>"),
    _described(23, b"not an sdp"),
    _described(24, *HEAD, b"t=0 0", b"m=audio 99999 RTP/AVP 0"),
    _described(25, *HEAD, b"c=IN IP4 999.1.1.1", b"t=0 0", b"m=audio 4000 RTP/AVP 0"),
    _described(26, *HEAD, b"c=IN IP4 127.0.0.1", b"t=0 0", b"m=audio x RTP/AVP 0"),
    _described(27, *HEAD, *[b"a=rtpmap:999999 x/0"] * 3000),
    (
        b"BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKbye\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:a@b>;tag=nobody\r\nCall-ID: nobody\r\nCSeq: 2 BYE\r\n\r\n"
    ),
    (
        b"ACK sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKack\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:a@b>;tag=nobody\r\nCall-ID: nobody\r\nCSeq: 2 ACK\r\n\r\n"
    ),
    (
        b"CANCEL sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKcan\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:a@b>\r\nCall-ID: nobody\r\nCSeq: 2 CANCEL\r\n\r\n"
    ),
]


def bad_rtp(ssrc: int, sequence: int, timestamp: int, event_type: int) -> dict[str, bytes]:
    """RTP datagrams by what is wrong with them; the numbers are those that the next good packet would carry."""
    frame = b"\xff" * 160
    hook_flash = bytes((16, 0x0A, 0, 160))
    return {
        "empty": b"",
        "5 bytes": b"\x80\0\0\0\0",
        "2000 bytes": build(RTPPacket(0, sequence, timestamp, ssrc, b"\x7f" * 1988)),
        "unknown payload type": build(RTPPacket(77, sequence, timestamp, ssrc, frame)),
        "unknown dynamic type": build(RTPPacket(120, sequence, timestamp, ssrc, frame)),
        "event 16": build(RTPPacket(event_type, sequence, timestamp, ssrc, hook_flash)),
        "event cut off": build(RTPPacket(event_type, sequence + 1, timestamp, ssrc, b"\1")),
        "timestamp jump": build(RTPPacket(0, sequence + 2, timestamp + 1_500_000_000, ssrc, frame)),
        "version 1": b"\x40" + build(RTPPacket(0, sequence, timestamp, ssrc, frame))[1:],
        "15 sources and no more": b"\x8f" + build(RTPPacket(0, sequence, timestamp, ssrc))[1:],
        "extension cut off": b"\x90" + build(RTPPacket(0, sequence, timestamp, ssrc, b"\0\0\xff\xff"))[1:],
        "padding longer than all": b"\xa0" + build(RTPPacket(0, sequence, timestamp, ssrc, b"\xff" * 20))[1:],
    }
