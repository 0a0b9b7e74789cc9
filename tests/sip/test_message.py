"""One message: tolerant in form, strict in content (RFC 3261 sections 7, 8.2 and 18.3)."""

from __future__ import annotations

import pytest
from pyVoIP.SIP import SIPMessageType, SIPStatus

from tests.sip.messages import offer, parsed, raw, request
from voice.sip import SipError

COMPACT = raw(
    "INVITE sip:1001@192.0.2.1 SIP/2.0",
    "v:SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1",
    "f : <sip:2000@192.0.2.10>;tag=a",
    "T: <sip:1001@192.0.2.1>",
    "i: abc",
    "cSeq: 1 INVITE",
    "m: <sip:2000@192.0.2.10>",
    "c: application/sdp",
    f"l: {len(offer())}",
    body=offer(),
)


def status_of(data: bytes) -> int:
    with pytest.raises(SipError) as refused:
        parsed(data)
    return refused.value.status


def test_compact_names() -> None:
    message = parsed(COMPACT)
    assert (message.method, message.call_id, message.cseq) == ("INVITE", "abc", (1, "INVITE"))
    assert (message.from_.uri.user, message.to.uri.user, message.vias[0].branch) == ("2000", "1001", "z9hG4bK1")
    assert message.header("Call-ID") == message.header("i") == "abc"
    assert message.contact is not None
    assert message.sdp is not None
    assert message.sdp.media[0].port == 4000


def test_pyvoip_finds_its_own_shape() -> None:
    message = parsed(COMPACT)
    assert message.type == SIPMessageType.MESSAGE
    assert message.headers["CSeq"] == {"check": "1", "method": "INVITE"}
    assert message.headers["From"]["number"] == "2000"
    assert message.headers["From"]["tag"] == "a"
    assert message.headers["Via"][0]["address"] == ("192.0.2.10", "5060")


def test_lines_that_end_with_lf_alone() -> None:
    message = parsed(COMPACT.removesuffix(offer()).replace(b"\r\n", b"\n") + offer())
    assert (message.method, message.content) == ("INVITE", offer())
    with pytest.raises(SipError):
        parsed(b"OPTIONS sip:a@h SIP/2.0\nVia: x\r\ry\n\n")


def test_empty_lines_before_the_message() -> None:
    assert parsed(b"\r\n\r\n" + COMPACT).method == "INVITE"


def test_repeated_and_joined_values() -> None:
    message = parsed(request("INVITE", "sip:a@h", "Diversion: <sip:1@h>, <sip:2@h>", "diversion: <sip:3@h>"))
    assert message.raw_values("Diversion") == ["<sip:1@h>, <sip:2@h>", "<sip:3@h>"]
    assert message.header_values("DIVERSION") == ["<sip:1@h>", "<sip:2@h>", "<sip:3@h>"]
    assert message.header("X-None") is None


def test_bytes_behind_the_body_are_dropped() -> None:
    data = request("INVITE", body=offer()) + b"trailing INVITE sip:x SIP/2.0"
    assert parsed(data).content == offer()


def test_without_content_length_the_body_is_the_rest() -> None:
    assert parsed(request("INVITE", body=offer(), drop=["Content-Length"])).content == offer()


def test_a_description_in_a_part() -> None:
    body = b"--x\r\nContent-Type: application/SDP\r\n\r\n" + offer() + b"\r\n--x\r\nContent-Type: a/b\r\n\r\nz\r\n--x--"
    sdp = parsed(request("INVITE", body=body, kind="multipart/mixed;boundary=x")).sdp
    assert sdp is not None
    assert sdp.media[0].port == 4000


@pytest.mark.parametrize("kind", ["Application/SDP", "application/sdp;charset=utf-8", " application/sdp "])
def test_the_type_of_a_description_in_any_form(kind: str) -> None:
    assert parsed(request("INVITE", body=offer(), kind=kind)).sdp is not None


def test_no_body_is_no_description() -> None:
    assert parsed(request("INVITE", "sip:a@h", "Content-Type: application/sdp")).sdp is None


@pytest.mark.parametrize(
    ("kind", "headers", "status"),
    [
        ("text/plain", (), 415),
        ("application/sdp", ("Content-Encoding: gzip",), 415),
        ("multipart/mixed;boundary=none", (), 400),
    ],
)
def test_bodies_that_are_not_understood(kind: str, headers: tuple[str, ...], status: int) -> None:
    message = parsed(request("INVITE", "sip:a@h", *headers, body=b"hello", kind=kind))
    with pytest.raises(SipError) as refused:
        _ = message.sdp
    assert refused.value.status == status
    if status == 415:
        assert refused.value.headers[0][0].startswith("Accept")


def test_an_optional_body_may_be_passed_over() -> None:
    headers = ("Content-Disposition: render;handling=optional",)
    assert parsed(request("INVITE", "sip:a@h", *headers, body=b"hello", kind="text/plain")).sdp is None


def test_a_contact_of_no_use_is_none() -> None:
    assert parsed(request("INVITE", replace={"Contact": "*"})).contact is None
    assert parsed(request("INVITE", replace={"Contact": "<tel:+1>"})).contact is None
    found = parsed(
        request("INVITE", replace={"Contact": '"A, B" <sip:a@192.0.2.9:7000;ob>;expires=60;+sip.instance="<x>"'})
    )
    assert found.contact is not None
    assert found.contact.uri.address == ("192.0.2.9", 7000)


def test_responses() -> None:
    message = parsed(raw("SIP/2.0 480 Not now, you", *COMPACT.decode().split("\r\n")[1:6]))
    assert (message.is_request, message.code, message.reason) == (False, 480, "Not now, you")
    assert message.status == SIPStatus.TEMPORARILY_UNAVAILABLE
    assert parsed(raw("SIP/2.0 299 ", *COMPACT.decode().split("\r\n")[1:6])).status == SIPStatus.OK


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_mandatory_header_is_missing_or_broken(name: str) -> None:
    assert status_of(request("OPTIONS", drop=[name])) == 400
    assert status_of(request("OPTIONS", replace={name: ""})) == 400
    assert status_of(request("OPTIONS", replace={name: "<<< >>>"})) == 400


@pytest.mark.parametrize("name", ["From: <sip:x@h>;tag=2", "t: <sip:x@h>", "i: other", "CSeq: 2 OPTIONS", "l: 0"])
def test_a_single_header_stands_twice(name: str) -> None:
    assert status_of(request("OPTIONS", "sip:a@h", name)) == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("OPTIONS", replace={"CSeq": "1 INVITE"}), 400),
        (request("OPTIONS", replace={"Content-Length": "-1"}), 400),
        (request("OPTIONS", replace={"Content-Length": "12"}), 400),
        (request("OPTIONS", replace={"Content-Length": "9" * 40}), 400),
        (request("OPTIONS", replace={"Max-Forwards": "many"}), 400),
        (request("OPTIONS", replace={"Call-ID": "a b"}), 400),
        (request("OPTIONS", replace={"Call-ID": "a\x1b[31m"}), 400),
        (request("OPTIONS", replace={"Via": "SIP/2.0/UDP a, " * 200}), 400),
        (request("OPTIONS", "<sip:a@h>"), 400),
        (request("OPTIONS", "sip:a@h; lr"), 400),
        (request("OPTIONS", "http://example.com/"), 416),
        (request("OPTIONS").replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1), 505),
        (request("OPTIONS").replace(b"SIP/2.0\r\n", b"SIP/2.0 \r\n", 1), 400),
        (request("OPTIONS").replace(b"OPTIONS sip", b"OPTIONS  sip", 1), 400),
        (request("OPTIONS").replace(b"OPTIONS sip", b"OPT<>NS sip", 1), 400),
        (request("OPTIONS").rstrip(b"\r\n"), 400),
        (b"SIP/2.0 99 x\r\n\r\n", 400),
        (b"SIP/2.0 4294967301 better not break the receiver\r\n\r\n", 400),
        (b"SIP/3.0 200 OK\r\n\r\n", 505),
        (b"", 400),
        (b"\r\n\r\n\r\n", 400),
    ],
)
def test_what_cannot_be_taken(data: bytes, status: int) -> None:
    assert status_of(data) == status


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ((), True),
        (("Accept: application/sdp",), True),
        (("accept: text/plain, Application/SDP;level=1",), True),
        (("Accept: text/plain", "Accept: */*;q=0.1"), True),
        (("Accept: application/*",), True),
        (("Accept: text/plain, application/pidf+xml",), False),
        (("Accept:",), False),
    ],
)
def test_what_an_answer_may_hold(headers: tuple[str, ...], accepted: bool) -> None:
    assert parsed(request("INVITE", "sip:1@h", *headers)).accepts("application/sdp") is accepted
