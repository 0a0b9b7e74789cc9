"""Whatever comes, the parsers take it or raise SipError, and answers are whole messages."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sip.messages import SOURCE, offer, parsed, request
from voice.sip import InviteFacts, SipError, SipMessage
from voice.sip.body import parts_of
from voice.sip.dialog import Dialog
from voice.sip.headers import parse_cseq, parse_name_addr, parse_params, parse_via, split_list
from voice.sip.info import key_of
from voice.sip.response import build_refusal, build_response, response_address
from voice.sip.sdp import agree, parse_sdp, write_answer
from voice.sip.transactions import server_key
from voice.sip.uri import parse_uri

MULTIPART = b"--x\r\nContent-Type: application/sdp\r\n\r\n" + offer() + b"\r\n--x--"
EXAMPLES = [
    request("INVITE", "sip:vm@h;target=1001;cause=486", "Diversion: <sip:1@h>;reason=no-answer", body=offer()),
    request(
        "INVITE", "sip:vm@h", "History-Info: <sip:1@h?Reason=SIP%3Bcause%3D486>;index=1", "Record-Route: <sip:p;lr>"
    ),
    request("INFO", body=b"Signal=5\r\n", kind="application/dtmf-relay"),
    request("INVITE", body=MULTIPART, kind="multipart/mixed;boundary=x"),
    build_response(parsed(request("BYE")), 200),
]
PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b'"', b"<", b">", b"@", b";", b",", b":", b"=", b"%", b"[",
     b"\\", b"9" * 30, b"%00", b"sip:", b"tel:", b"--x", b"boundary=", b"a" * 3000, "é\u2028".encode(), b"\xed\xa0\x80"]
)  # fmt: skip
TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=200) | st.text(
    '<>"@;,:=%\\[] \t\x00sip.1/2UDP?', max_size=60
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good message with some places cut, doubled or overwritten."""
    data = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        data = data[:start] + draw(PIECES | st.binary(max_size=20) | st.just(data[start:end] * 2)) + data[end:]
    return data


def serve(data: bytes) -> None:
    """Everything that is done with a datagram before a call has to do with it."""
    try:
        message = SipMessage(data, SOURCE)
    except SipError as error:
        answer = build_refusal(data, error, SOURCE, "tag")
        assert answer is None or answer.startswith(b"SIP/2.0 ")
        return
    if not message.is_request:
        return
    answer = SipMessage(build_response(message, 200, to_tag="ours"))
    assert (answer.code, answer.call_id, answer.cseq) == (200, message.call_id, message.cseq)
    assert response_address(message)[0] == SOURCE[0]
    assert server_key(message)
    InviteFacts.of(message)
    with contextlib.suppress(SipError):
        key_of(message)
    if not message.to.tag:
        follow(message)
    with contextlib.suppress(SipError):
        if message.sdp:
            write_answer(message.sdp, agree(message.sdp), "192.0.2.1", 20000, "1", 1)


def follow(message: SipMessage) -> None:
    """The dialog of an INVITE either is refused or gives a BYE that anybody can read."""
    try:
        dialog = Dialog(message, "ours", ("192.0.2.1", 5060))
    except SipError:
        return
    bye = SipMessage(dialog.build_request("BYE", "z9hG4bK1")[0])
    assert (bye.method, bye.from_.tag, bye.to.tag) == ("BYE", "ours", message.from_.tag)


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    serve(data)


@settings(max_examples=400, deadline=None)
@given(damaged())
def test_damaged_messages(data: bytes) -> None:
    serve(data)


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["Via", "From", "To", "Contact", "Record-Route", "History-Info", "Diversion"]),
)
def test_any_value_of_a_header(value: bytes, name: str) -> None:
    line = name.encode() + b": " + value.replace(b"\r", b"").replace(b"\n", b"")
    serve(request("INVITE", drop=[name], body=offer()).replace(b"\r\n", b"\r\n" + line + b"\r\n", 1))


@settings(deadline=None)
@given(TEXTS)
def test_any_text_as_a_value(text: str) -> None:
    for parse in (parse_uri, parse_name_addr, parse_via, parse_cseq, parse_params, split_list):
        with contextlib.suppress(SipError):
            parse(text)


@settings(deadline=None)
@given(TEXTS)
def test_any_text_as_a_description(text: str) -> None:
    for described in (text, "v=0\r\n" + text, f"v=0\r\nc=IN IP4 {text}\r\nm=audio 1 RTP/AVP 0\r\na=rtpmap:{text}"):
        with contextlib.suppress(SipError):
            agree(parse_sdp(described))


@settings(deadline=None)
@given(TEXTS, st.binary(max_size=300))
def test_any_body(kind: str, content: bytes) -> None:
    for name in (kind, f"multipart/mixed;boundary={kind}", "multipart/mixed;boundary=x"):
        with contextlib.suppress(SipError):
            parts_of(name, b"--x\r\n" + content)


def test_long_datagrams_of_separators() -> None:
    for filler in (b",", b";", b" ", b"<", b'"', b"\\", b"=", b"\r\n ", b"\r\nA:", b"a", b"SIP/2.0/UDP a,", b"%"):
        for name in (b"Via", b"From", b"Contact", b"Record-Route", b"Diversion", b"Subject"):
            line = b"\r\n" + name + b": " + filler * (60000 // len(filler)) + b"\r\n"
            serve(b"INVITE sip:a@h SIP/2.0" + line + b"\r\n")
            serve(request("INVITE", drop=[name.decode()]).replace(b"\r\n", line, 1))
