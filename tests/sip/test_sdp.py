"""Session descriptions: what is taken of an offer, and what is answered (RFC 4566, RFC 3264)."""

from __future__ import annotations

import pytest

from tests.sip.messages import described, offer
from voice.media.g711 import Law
from voice.sip import SipError
from voice.sip.sdp import Agreed, agree, parse_sdp, write_answer, write_offer


def agreed_on(text: bytes, keep: Law | None = None) -> Agreed:
    return agree(parse_sdp(text.decode()), keep)


def answer_to(text: bytes) -> list[str]:
    parsed = parse_sdp(text.decode())
    return write_answer(parsed, agree(parsed), "192.0.2.1", 20000, "7", 1).decode().split("\r\n")


def refused(text: bytes, keep: Law | None = None) -> int:
    with pytest.raises(SipError) as error:
        agreed_on(text, keep)
    return error.value.status


@pytest.mark.parametrize(
    ("formats", "law", "payload_type"),
    [("0", Law.PCMU, 0), ("8", Law.PCMA, 8), ("0 8", Law.PCMU, 0), ("8 0", Law.PCMA, 8), ("18 9 3 8 0", Law.PCMA, 8)],
)
def test_the_first_law_of_the_offer_is_taken(formats: str, law: Law, payload_type: int) -> None:
    agreed = agreed_on(offer(formats=formats))
    assert (agreed.law, agreed.payload_type) == (law, payload_type)


def test_telephone_event_is_taken_with_the_number_offered() -> None:
    assert agreed_on(offer("a=rtpmap:96 telephone-event/8000", formats="0 96")).event_payload_type == 96
    assert agreed_on(offer(formats="0 101")).event_payload_type == 101
    assert agreed_on(offer(formats="0")).event_payload_type is None, "an rtpmap of a format that is not listed"
    assert agreed_on(offer("a=rtpmap:97 telephone-event/48000", formats="0 97")).event_payload_type is None


def test_a_dynamic_number_may_stand_for_a_law() -> None:
    agreed = agreed_on(offer("a=rtpmap:96 opus/48000/2", "a=rtpmap:97 pcma/8000/1", formats="96 97"))
    assert (agreed.law, agreed.payload_type) == (Law.PCMA, 97)


def test_an_rtpmap_counts_more_than_the_static_table() -> None:
    assert agreed_on(offer("a=rtpmap:0 opus/48000", formats="0 8")).law is Law.PCMA
    assert agreed_on(offer("a=rtpmap:0 PCMU/16000", formats="0 8")).law is Law.PCMA


def test_an_rtpmap_for_an_unlisted_number_is_passed_over() -> None:
    assert agreed_on(offer("a=rtpmap:99 G729/8000", "a=rtpmap:999 x/1", "a=rtpmap:", "a=rtpmap:x y/z")).law is Law.PCMU


def test_the_address_of_the_line_counts_more_than_that_of_the_session() -> None:
    assert agreed_on(offer("c=IN IP4 192.0.2.99")).host == "192.0.2.99"
    assert agreed_on(offer("c=IN IP4 192.0.2.99/127")).host == "192.0.2.99"


def test_the_first_line_that_can_be_taken() -> None:
    text = described(
        "v=0", "c=IN IP4 192.0.2.10", "m=video 5000 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "m=audio 6000 RTP/SAVP 0",
        "m=audio 6002 RTP/AVP 18", "m=audio 6004 RTP/AVP 8", "m=audio 6006 RTP/AVP 0",
    )  # fmt: skip
    agreed = agreed_on(text)
    assert (agreed.line, agreed.port, agreed.law) == (4, 6004, Law.PCMA)
    assert [line for line in answer_to(text) if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31",
        "m=audio 0 RTP/AVP 0",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 0 RTP/AVP 18",
        "m=audio 20000 RTP/AVP 8",
        "m=audio 0 RTP/AVP 0",
    ]


@pytest.mark.parametrize(
    "text",
    [
        offer(port=99999),
        offer(port=65536),
        offer(port=0),
        offer(formats="18 3 9"),
        offer(formats="x y 128 -1"),
        described("v=0", "o=- 1 1 IN IP4 192.0.2.10", "s=-", "t=0 0", "m=audio 4000 RTP/AVP 0"),
        described("v=0", "c=IN IP4 192.0.2.10", "t=0 0"),
        offer(address="pbx.example.com"),
        offer(address="224.2.1.1"),
        offer(address="255.255.255.255"),
        offer(address="0.0.0.1"),
        offer(address="192.0.2.010"),
        offer(address="1.2.3"),
        offer("c=IN IP6 2001:db8::10"),
        offer("c=IN IP4"),
        offer("c=IN IP0 pbx.example.com"),
        described("v=0", "c=IN IP4 192.0.2.10", "t=0 0", "m=video 4000 RTP/AVP 31"),
        described("v=0", "c=IN IP4 192.0.2.10", "t=0 0", "m=audio 4000 RTP/SAVPF 0 8"),
        described("v=0", "c=IN IP4 192.0.2.10", "t=0 0", "m=audio 4000 UDP/TLS/RTP/SAVPF 0 8"),
        described("v=0", "c=IN IP4 192.0.2.10", "t=0 0", "m=image 4000 udptl t38"),
    ],
)
def test_what_cannot_be_taken_is_488(text: bytes) -> None:
    assert refused(text) == 488


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        b"v=1\r\n",
        described("v=0", "m=audio"),
        described("v=0", "m=audio x RTP/AVP 0"),
        described("v=0", "m=audio -1 RTP/AVP 0"),
        described("v=0", "m=audio 12345678901 RTP/AVP 0"),
        described("v=0", "m=audio 4000 RTP/AVP"),
        b"v=0\r\n" + b"a=x\r\n" * 3000,
    ],
)
def test_what_is_no_description_is_400(text: bytes) -> None:
    assert refused(text) == 400


def test_feedback_profile_is_answered_with_itself() -> None:
    text = described("v=0", "c=IN IP4 192.0.2.10", "t=0 0", "m=audio 4000 RTP/AVPF 8", "a=rtcp-fb:* nack")
    assert "m=audio 20000 RTP/AVPF 8" in answer_to(text)


@pytest.mark.parametrize(
    ("lines", "ptime"),
    [
        ((), 20),
        (("a=ptime:10",), 10),
        (("a=ptime:60",), 60),
        (("a=ptime:40", "a=maxptime:30"), 30),
        (("a=maxptime:150",), 20),
        (("a=maxptime:15",), 10),
        (("a=maxptime:5",), 20),
        (("a=ptime:25",), 20),
        (("a=ptime:100",), 20),
        (("a=ptime:0",), 20),
        (("a=ptime:x", "a=maxptime:-1"), 20),
        (("a=ptime:99999999999",), 20),
    ],
)
def test_packets_are_as_long_as_the_other_side_asks(lines: tuple[str, ...], ptime: int) -> None:
    assert agreed_on(offer(*lines)).ptime == ptime
    assert f"a=ptime:{ptime}" in answer_to(offer(*lines))


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("a=x", ("192.0.2.10", 4001)),
        ("a=rtcp:53020", ("192.0.2.10", 53020)),
        ("a=rtcp:53020 IN IP4 192.0.2.77", ("192.0.2.77", 53020)),
        ("a=rtcp:53020 IN IP6 2001:db8::1", ("192.0.2.10", 53020)),
        ("a=rtcp:99999", ("192.0.2.10", 4001)),
        ("a=rtcp:0", ("192.0.2.10", 4001)),
        ("a=rtcp:", ("192.0.2.10", 4001)),
        ("a=rtcp-mux", ("192.0.2.10", 4000)),
    ],
)
def test_where_rtcp_goes(line: str, target: tuple[str, int]) -> None:
    assert agreed_on(offer(line)).rtcp == target
    assert ("a=rtcp-mux" in answer_to(offer(line))) is (line == "a=rtcp-mux")


@pytest.mark.parametrize(
    ("lines", "held", "answered"),
    [
        ((), False, "a=sendrecv"),
        (("a=sendrecv",), False, "a=sendrecv"),
        (("a=sendonly",), True, "a=recvonly"),
        (("a=recvonly",), False, "a=sendonly"),
        (("a=inactive",), True, "a=inactive"),
        (("c=IN IP4 0.0.0.0",), True, "a=sendrecv"),
    ],
)
def test_hold(lines: tuple[str, ...], held: bool, answered: str) -> None:
    assert agreed_on(offer(*lines)).held is held
    assert answered in answer_to(offer(*lines))


def test_the_direction_of_the_session_counts_where_the_line_has_none() -> None:
    head = ("v=0", "c=IN IP4 192.0.2.10", "t=0 0", "a=inactive", "m=audio 4000 RTP/AVP 0")
    assert agreed_on(described(*head)).held
    assert not agreed_on(described(*head, "a=sendrecv")).held


def test_a_running_session_keeps_its_law() -> None:
    assert agreed_on(offer(formats="0 8"), Law.PCMA).payload_type == 8
    assert refused(offer(formats="0"), Law.PCMA) == 488


def test_the_whole_answer() -> None:
    text = offer("a=ptime:30", formats="18 8 0 101").replace(b"t=0 0", b"t=3034423619 3042462419")
    assert answer_to(text) == [
        "v=0", "o=- 7 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=3034423619 3042462419",
        "m=audio 20000 RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
        "a=ptime:30", "a=sendrecv", "",
    ]  # fmt: skip


def test_our_own_offer_can_be_agreed_on() -> None:
    agreed = agreed_on(write_offer("192.0.2.1", 20000, "7", 0))
    assert (agreed.law, agreed.event_payload_type, agreed.host, agreed.port) == (Law.PCMU, 101, "192.0.2.1", 20000)
    assert agreed_on(write_offer("192.0.2.1", 20000, "7", 0, Law.PCMA)).law is Law.PCMA


def test_lines_that_end_with_lf_and_unknown_lines() -> None:
    text = offer("x=unknown", "nonsense", "a=", "=").replace(b"\r\n", b"\n")
    assert agreed_on(text).port == 4000


def test_only_cr_and_lf_end_a_line() -> None:
    text = offer().replace(b"s=-", "s=a\u2028m=audio 1 RTP/AVP 0".encode())
    assert agreed_on(text).port == 4000
