"""Datagrams that no peer should send: the phone answers or passes over them, and answers the next OPTIONS."""

from __future__ import annotations

import logging
import random

import pytest

from tests.sip.conftest import Desk
from tests.sip.messages import described, offer, request
from tests.sip.peer import Leg, Peer, audio
from voice.sip import Phone, SipCall


def invite(**replace: str) -> bytes:
    return request("INVITE", replace={name.replace("_", "-"): value for name, value in replace.items()}, body=offer())


def body(content: bytes, kind: str = "application/sdp") -> bytes:
    return request("INVITE", body=content, kind=kind)


DATAGRAMS = {
    "nothing": b"",
    "keep-alive": b"\r\n\r\n",
    "zeros": bytes(100),
    "only ends of lines": b"\r\n" * 500,
    "STUN": b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
    "RTP": b"\x80\x00" + bytes(170),
    "RTCP": b"\x81\xc8\x00\x0c" + bytes(48),
    "DNS": b"\xab\xcd\x01\x00\x00\x01" + bytes(30),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00" + bytes(100),
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "one word": b"INVITEINVITEINVITEINVITEINVITE",
    "request line alone": b"INVITE sip:1001@127.0.0.1 SIP/2.0\r\n\r\n",
    "status line alone": b"SIP/2.0 200 OK\r\n\r\n",
    "version alone": b"SIP/2.0\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n",
    "the biggest datagram": b"A" * 65507,
    "a big header": invite(Subject="x" * 60000),
    "many headers": request("INVITE", "sip:a@h", *["X: y"] * 8000),
    "many vias": request("INVITE", "sip:a@h", *["Via: SIP/2.0/UDP a"] * 3000),
    "many routes": request("INVITE", "sip:a@h", "Record-Route: " + "<sip:a@h>," * 5000, body=offer()),
    "many media lines": body(offer() + b"m=audio 1 RTP/AVP 0\r\n" * 1900),
    "too many media lines": body(offer() + b"m=audio 1 RTP/AVP 0\r\n" * 2500),
    "many formats": body(offer(formats=" ".join(["0"] * 5000))),
    "many parts": body(b"--x\r\n\r\n" * 5000, "multipart/mixed;boundary=x"),
    "deep parts": body(b"--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n" * 500, "multipart/mixed;boundary=x"),
    "no end of headers": invite().partition(b"\r\n\r\n")[0],
    "cut in a header": invite()[:100],
    "cut in the body": invite()[:-20],
    "binary header": invite(Subject="\udcff\udc80"),
    "NUL in From": invite(From='"a\x00b" <sip:a@h>;tag=\x00'),
    "From with no host": invite(From="<sip:>;tag=1"),
    "From with no end": invite(From='"a <sip:a@h>;tag=1'),
    "From of another kind": invite(From="<urn:service:sos>;tag=1"),
    "To of nothing": invite(To=""),
    "Contact of nothing": invite(Contact="<>"),
    "Contact of all": invite(Contact="*"),
    "Contact is us": invite(Contact="<sip:127.0.0.1:5060>"),
    "CSeq of letters": invite(CSeq="one INVITE"),
    "CSeq without method": invite(CSeq="1"),
    "CSeq below zero": invite(CSeq="-1 INVITE"),
    "CSeq too large": invite(CSeq="4294967296 INVITE"),
    "Via with a bad port": invite(Via="SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bK1"),
    "Via with a bad rport": invite(Via="SIP/2.0/UDP h;rport=x;received=y;branch=z9hG4bK2"),
    "Via without a host": invite(Via="SIP/2.0/UDP ;branch=z9hG4bK3"),
    "Via of HTTP": invite(Via="HTTP/1.1 proxy"),
    "Content-Length twice": request("INVITE", "sip:a@h", "l: 5", body=offer()),
    "Content-Length of letters": invite(Content_Length="ten"),
    "Content-Length in another script": invite(Content_Length="١٢"),
    "Content-Type of nothing": invite(Content_Type=";;;"),
    "Content-Type without boundary": invite(Content_Type="multipart/mixed"),
    "CR alone": request("INVITE", body=offer()).replace(b"\r\n", b"\r"),
    "bare LF in a header": invite(Subject="a\nVia: SIP/2.0/UDP evil"),
    "folded first line": b"INVITE sip:a@h SIP/2.0\r\n folded\r\n" + invite().partition(b"\r\n")[2],
    "space before the colon of nothing": b"INVITE sip:a@h SIP/2.0\r\n : x\r\n\r\n",
    "escapes in the request line": request("INVITE", "sip:%00%0d%0a%ff@h", body=offer()),
    "half an escape": request("INVITE", "sip:%@h;target=%;cause=%4", body=offer()),
    "request line with an IPv6 zone": request("INVITE", "sip:a@[fe80::1%25eth0]", body=offer()),
    "SDP of zeros": body(bytes(500)),
    "SDP without v": body(b"m=audio 4000 RTP/AVP 0\r\n"),
    "SDP without c": body(described("v=0", "m=audio 4000 RTP/AVP 0")),
    "SDP with a port below zero": body(described("v=0", "c=IN IP4 127.0.0.1", "m=audio -5 RTP/AVP 0")),
    "SDP with a port too large": body(offer(port=99999)),
    "SDP with half a line": body(b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio"),
    "SDP with a name": body(offer(address="localhost")),
    "SDP of a hundred lines of one": body(b"v=0\r\n" + b"c=" * 100 + b"\r\na=rtpmap\r\na=rtpmap:0\r\n"),
    "SDP of an rtpmap of nothing": body(offer("a=rtpmap:0 /", "a=rtpmap:0 PCMU/", "a=rtpmap:-1 x/8000")),
    "ACK of nothing": request("ACK", replace={"To": "<sip:a@h>;tag=x"}),
    "ACK that is broken": request("ACK", replace={"CSeq": "x"}),
    "CANCEL of nothing": request("CANCEL"),
    "BYE of nothing": request("BYE", replace={"To": "<sip:a@h>;tag=x"}),
    "response to nothing": request("OPTIONS").replace(b"OPTIONS sip:1001@192.0.2.1 SIP/2.0", b"SIP/2.0 200 OK"),
    "response of a wrong code": request("OPTIONS").replace(b"OPTIONS sip:1001@192.0.2.1 SIP/2.0", b"SIP/2.0 1000 OK"),
}


@pytest.mark.parametrize("name", DATAGRAMS)
def test_the_phone_answers_the_next_options(peer: Peer, phone: Phone, desk: Desk, name: str) -> None:
    desk.on_call = SipCall.deny
    peer.send(DATAGRAMS[name])
    assert peer.is_answered()
    assert phone.statistics.faults == 0
    assert not phone.live_calls()
    assert not phone.calls


def test_damage_of_every_kind_harms_no_call_that_runs(peer: Peer, phone: Phone, desk: Desk) -> None:
    """A thousand damaged copies of the messages of a call, from the same source as the call."""
    leg = Leg(peer)
    leg.establish()
    desk.on_call = SipCall.deny
    choice = random.Random(4475)
    for turn in range(1000):
        data = bytearray(choice.choice([audio(), leg.last, *DATAGRAMS.values()])[:1400] or b"x")
        for _ in range(choice.randint(1, 8)):
            data[choice.randrange(len(data))] = choice.randrange(256)
        # A call is known by its tags; a damaged message that still carries them might rightly end it.
        peer.send(bytes(data).replace(leg.tag.encode(), b"none"))
        if turn % 50 == 0:
            assert peer.is_answered()
    assert peer.is_answered()
    assert phone.statistics.faults == 0
    assert not desk.calls[0].ended
    assert leg.ask("BYE").code == 200


def test_strangers_cannot_fill_the_log(peer: Peer, phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for number in range(300):
        peer.send(request("OPTIONS", replace={"CSeq": "x", "From": f"secret-{number}\x1b[31m"}))
        peer.send(request("REGISTER"))
        if number % 50 == 0:
            assert peer.is_answered()
    assert peer.is_answered()
    assert phone.statistics.malformed == 300
    assert len(caplog.records) <= 25
    assert "\x1b" not in caplog.text
    assert "secret" not in caplog.text
