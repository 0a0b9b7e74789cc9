"""Responses (RFC 3261 section 8.2.6, RFC 3581)."""

from __future__ import annotations

from tests.sip.messages import SOURCE, parsed, raw, request
from voice.sip import SipError, SipMessage
from voice.sip.response import build_refusal, build_response, response_address


def answered(data: bytes, status: int = 200, **more: object) -> SipMessage:
    return SipMessage(build_response(parsed(data), status, **more))  # type: ignore[arg-type]


def test_what_is_copied() -> None:
    data = request(
        "INVITE", "sip:a@h", "Via: SIP/2.0/TCP b;branch=2 , SIP/2.0/UDP c;x=y",
        "Record-Route: <sip:p1;lr>, <sip:p2;lr>", "Timestamp: 54.2",
    )  # fmt: skip
    answer = answered(data, 200, to_tag="ours", headers=[("Allow", "INVITE")], content=b"v=0", content_type="a/b")
    asked = parsed(data)
    assert (answer.code, answer.reason, answer.content) == (200, "OK", b"v=0")
    assert [via.host for via in answer.vias] == ["192.0.2.10", "b", "c"]
    assert answer.vias[0].param("rport") == "5080"
    assert answer.vias[0].param("received") == "192.0.2.10"
    assert answer.header("From") == asked.header("From")
    assert answer.header("To") == f"{asked.header('To')};tag=ours"
    assert (answer.call_id, answer.cseq) == (asked.call_id, asked.cseq)
    assert answer.raw_values("Record-Route") == ["<sip:p1;lr>, <sip:p2;lr>"]
    assert answer.header("Timestamp") is None
    assert answered(data, 100).header("Timestamp") == "54.2"


def test_the_tag() -> None:
    assert answered(request("INVITE"), 100, to_tag="ours").to.tag == ""
    assert answered(request("INVITE"), 486, to_tag="ours").to.tag == "ours"
    assert answered(request("BYE", replace={"To": "<sip:a@h>;tag=old"}), 481, to_tag="ours").to.tag == "old"


def test_undecodable_bytes_are_echoed_as_they_came() -> None:
    data = request("OPTIONS").replace(b'"Bob"', b'"B\xff\xfeb"')
    assert b'"B\xff\xfeb"' in build_response(parsed(data), 200)


def test_where_it_goes() -> None:
    via = "SIP/2.0/UDP 192.0.2.10:7000;branch=z9hG4bK1"
    assert response_address(parsed(request("OPTIONS", replace={"Via": via}))) == ("192.0.2.10", 7000)
    assert response_address(parsed(request("OPTIONS", replace={"Via": f"{via};rport"}))) == SOURCE
    other = "SIP/2.0/UDP 10.0.0.1:7000;branch=z9hG4bK1"
    assert response_address(parsed(request("OPTIONS", replace={"Via": other}))) == SOURCE


def refusal(data: bytes, status: int = 400) -> bytes:
    return build_refusal(data, SipError(status), SOURCE, "ours") or b""


def test_a_refusal_echoes_what_can_be_read() -> None:
    data = raw(
        "OPTIONS sip:a@h SIP/2.0",
        "v: SIP/2.0/UDP h;branch=z9hG4bK1",
        " ;rport",
        "f: <<<",
        "T: <sip:a@h>",
        "i: abc",
        "CSeq: x",
    )
    assert refusal(data).decode().split("\r\n")[:6] == [
        "SIP/2.0 400 Bad Request",
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.10;rport=5080",
        "From: <<<",
        "To: <sip:a@h>;tag=ours",
        "Call-ID: abc",
        "CSeq: x",
    ]


def test_a_refusal_of_lines_that_end_with_lf() -> None:
    data = b"OPTIONS sip:a@h SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nCall-ID: abc\n\n"
    assert b"Call-ID: abc\r\n" in refusal(data)


def test_a_refusal_has_no_line_that_was_smuggled_in() -> None:
    data = raw("OPTIONS sip:a@h SIP/2.0", "Via: SIP/2.0/UDP h;branch=1\rX-Evil: 1\nX-Worse: 2", "Call-ID: a\rX: 3")
    assert b"evil" not in refusal(data).lower()
    assert b"X: 3" not in refusal(data)


def test_nobody_to_answer() -> None:
    assert not refusal(raw("ACK sip:a@h SIP/2.0", "Via: SIP/2.0/UDP h"))
    assert not refusal(raw("SIP/2.0 200 OK", "Via: SIP/2.0/UDP h"))
    assert not refusal(raw("OPTIONS sip:a@h SIP/2.0", "To: <sip:a@h>"))
    assert not refusal(b"GET / HTTP/1.1\r\nVia: x\r\n\r\n")


def test_a_refusal_is_no_longer_than_what_it_refuses() -> None:
    data = raw("OPTIONS sip:a@h SIP/2.0", *["v:a"] * 10000, "i:x")
    assert len(refusal(data)) < 2000


def test_a_refusal_keeps_the_headers_of_its_error() -> None:
    error = SipError(420, "", (("Unsupported", "foo"),))
    data = raw("INVITE sip:a@h SIP/2.0", "Via: nonsense")
    answer = build_refusal(data, error, SOURCE, "ours") or b""
    assert b"SIP/2.0 420 Bad Extension\r\nVia: nonsense\r\n" in answer
    assert b"Unsupported: foo\r\n" in answer
