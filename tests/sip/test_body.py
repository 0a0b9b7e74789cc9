"""Bodies: media types and multipart (RFC 2046, RFC 5621)."""

from __future__ import annotations

import pytest

from voice.sip import SipError
from voice.sip.body import media_type, parts_of

MIXED = (
    b"preamble\r\n--x\r\nContent-Type: Application/SDP; charset=utf-8\r\n\r\nv=0\r\ns=-\r\n"
    b"\r\n--x\r\nContent-Type: application/isup\r\nContent-Disposition: signal; handling=optional\r\n\r\n"
    b"\x01\x10\r\n\r\n\xff"
    b"\r\n--x--\r\nepilogue"
)


def test_media_types_are_compared_without_case_and_parameters() -> None:
    assert media_type("Application/SDP ; charset=utf-8") == "application/sdp"
    assert media_type(None) == ""


def test_a_plain_body_is_one_part() -> None:
    part = parts_of("text/plain", b"hello", "render;handling=optional")[0]
    assert (part.media_type, part.content, part.is_optional) == ("text/plain", b"hello", True)


def test_no_body_no_parts() -> None:
    assert parts_of("multipart/mixed", b"") == []


@pytest.mark.parametrize("kind", ["multipart/mixed;boundary=x", 'Multipart/Mixed; a=b; Boundary="x"'])
def test_multipart(kind: str) -> None:
    sdp, isup = parts_of(kind, MIXED)
    assert (sdp.media_type, sdp.content, sdp.is_optional) == ("application/sdp", b"v=0\r\ns=-\r\n", False)
    assert (isup.media_type, isup.content, isup.is_optional) == ("application/isup", b"\x01\x10\r\n\r\n\xff", True)


def test_a_boundary_that_begins_another_word_is_content() -> None:
    parts = parts_of("multipart/mixed;boundary=ab", b"--ab\r\n\r\none\r\n--abc\r\ntwo\r\n--ab--")
    assert [part.content for part in parts] == [b"one\r\n--abc\r\ntwo"]


def test_nested_multipart_is_flat() -> None:
    inner = b"--i\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--i--"
    outer = b"--o\r\nContent-Type: multipart/alternative;boundary=i\r\n\r\n" + inner + b"\r\n--o\r\n\r\nplain\r\n--o--"
    assert [(part.media_type, part.content) for part in parts_of("multipart/mixed;boundary=o", outer)] == [
        ("application/sdp", b"v=0"),
        ("", b"plain"),
    ]


def test_lines_that_end_with_lf_alone() -> None:
    parts = parts_of("multipart/mixed;boundary=x", b"--x\nContent-Type: application/sdp\n\nv=0\n--x--\n")
    assert [(part.media_type, part.content) for part in parts] == [("application/sdp", b"v=0")]


def test_a_missing_last_delimiter_is_forgiven() -> None:
    assert parts_of("multipart/mixed;boundary=x", b"--x\r\n\r\nabc")[0].content == b"abc"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/mixed", b"--x\r\n\r\nabc\r\n--x--"),
        ("multipart/mixed;boundary=", b"abc"),
        ("multipart/mixed;boundary=" + "x" * 71, b"abc"),
        ("multipart/mixed;boundary=x", b"no delimiter"),
        ("multipart/mixed;boundary=x", b"--x--"),
        ("multipart/mixed;boundary=x", b"--x\r\n\r\n" + b"a\r\n--x\r\n\r\n" * 30),
        ("multipart/mixed;boundary=x", b"--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\nabc\r\n--x--"),
    ],
)
def test_broken_multipart(kind: str, content: bytes) -> None:
    with pytest.raises(SipError) as refused:
        parts_of(kind, content)
    assert refused.value.status == 400
