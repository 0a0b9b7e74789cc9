"""Header fields and their values (RFC 3261 sections 7.3, 20 and 25)."""

from __future__ import annotations

import pytest

from voice.sip import SipError
from voice.sip.headers import (
    MAX_FIELDS,
    canonical_name,
    parse_cseq,
    parse_name_addr,
    parse_params,
    parse_via,
    split_fields,
    split_list,
    unquote_string,
)


@pytest.mark.parametrize(
    ("short", "long"),
    [("v", "via"), ("F", "from"), ("t", "to"), ("i", "call-id"), ("m", "contact"), ("c", "content-type"),
     ("L", "content-length"), ("k", "supported"), ("o", "event"), ("e", "content-encoding"), ("CaLL-iD", "call-id")],
)  # fmt: skip
def test_names_in_any_case_and_compact(short: str, long: str) -> None:
    assert canonical_name(short) == long


def test_folded_lines_are_joined() -> None:
    head = "Subject: I know\r\n  you're there,\r\n\tpick up\r\nTo :x"
    assert split_fields(head) == [("subject", "I know you're there, pick up"), ("to", "x")]


@pytest.mark.parametrize(
    "head", ["no colon", " folded first", "Na me: x", ": x", "A\tb: x", "A: x\ny", "A: x\ry", "Ä: x"]
)
def test_malformed_lines(head: str) -> None:
    with pytest.raises(SipError):
        split_fields(head)


def test_no_more_headers_than_anybody_sends() -> None:
    assert len(split_fields("\r\n".join(["a: 1\r\n 2"] * MAX_FIELDS))) == MAX_FIELDS
    with pytest.raises(SipError):
        split_fields("\r\n".join(["a: 1"] * (MAX_FIELDS + 1)))


def test_lists_respect_quotes_and_angles() -> None:
    value = '"Bob, \\"the\\" <one>" <sip:a@h;x=1,2>;q=1 ,, <sip:b@h>, sip:c@h'
    assert split_list(value) == ['"Bob, \\"the\\" <one>" <sip:a@h;x=1,2>;q=1', "<sip:b@h>", "sip:c@h"]


def test_parameters() -> None:
    assert parse_params(';A=1; b = "x;y" ;c;;A=2') == {"a": "1", "b": "x;y", "c": ""}


def test_quoted_strings() -> None:
    assert unquote_string(r'"a \"b\" \\c"') == r'a "b" \c'
    assert unquote_string("plain") == "plain"
    assert unquote_string('"') == '"'


@pytest.mark.parametrize(
    ("value", "display", "uri", "tag"),
    [
        ("<sip:a@h>;tag=1", "", "sip:a@h", "1"),
        ("sip:a@h;tag=1", "", "sip:a@h", "1"),
        ("sip:a@h ; TAG = 1 ; x", "", "sip:a@h", "1"),
        ('"A, B" <sip:a@h;lr>;x=y', "A, B", "sip:a@h;lr", ""),
        ("Alice Smith<sip:a@h>", "Alice Smith", "sip:a@h", ""),
        (r'"J \"R\" \\" <sip:a@h> ; tag = 98asjd8', 'J "R" \\', "sip:a@h", "98asjd8"),
        ('"<sip:not@this>" <sip:a@h>', "<sip:not@this>", "sip:a@h", ""),
        ("<tel:+1-201-555-0123>", "", "tel:+1-201-555-0123", ""),
        ('"" <sip:a@h>', "", "sip:a@h", ""),
    ],
)
def test_addresses(value: str, display: str, uri: str, tag: str) -> None:
    address = parse_name_addr(value)
    assert (address.display, address.uri.raw, address.tag) == (display, uri, tag)


@pytest.mark.parametrize(
    "value",
    ["", "<sip:a@h", '"unclosed <sip:a@h>', '"Bob" sip:a@h', "a;b <sip:a@h>", "a, b <sip:a@h>", "<>", "nonsense",
     "<sip:a@h>garbage", 'a"b <sip:a@h>'],
)  # fmt: skip
def test_malformed_addresses(value: str) -> None:
    with pytest.raises(SipError):
        parse_name_addr(value)


def test_via_keeps_what_it_does_not_know() -> None:
    via = parse_via('SIP / 2.0 / udp  h.example.com : 5070 ; Branch = z9hG4bK1 ; rport ; x="a;b" ; maddr=192.0.2.9')
    assert (via.transport, via.host, via.port, via.branch) == ("UDP", "h.example.com", 5070, "z9hG4bK1")
    assert via.param("rport") == ""
    assert via.param("absent") is None
    assert via.answered_to(("192.0.2.7", 6000)) == (
        'SIP/2.0/UDP h.example.com:5070;Branch=z9hG4bK1;x="a;b";maddr=192.0.2.9;received=192.0.2.7;rport=6000'
    )


def test_received_is_added_where_the_source_is_another() -> None:
    via = parse_via("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;received=10.0.0.1")
    assert via.answered_to(("192.0.2.1", 5060)) == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"
    assert via.answered_to(("192.0.2.2", 5060)).endswith(";branch=z9hG4bK1;received=192.0.2.2")


def test_via_of_an_ipv6_host() -> None:
    via = parse_via("SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bK1")
    assert via.host == "2001:db8::9"
    assert via.answered_to(("2001:db8::9", 5070)) == "SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bK1"


@pytest.mark.parametrize(
    ("value", "status"),
    [("SIP/3.0/UDP h", 505), ("SIP/2.0 h", 400), ("SIP/2.0/UDP", 400), ("SIP/2.0/UDP h;;=x", 400),
     ("SIP/2.0/UDP h:99999", 400), ("HTTP/2.0/UDP h", 400), ("SIP/2.0/UDP h;a b=1", 400), (";", 400)],
)  # fmt: skip
def test_malformed_via(value: str, status: int) -> None:
    with pytest.raises(SipError) as refused:
        parse_via(value)
    assert refused.value.status == status


def test_cseq() -> None:
    assert parse_cseq("0009  INVITE") == (9, "INVITE")
    assert parse_cseq("2147483647 OPTIONS") == (2147483647, "OPTIONS")


@pytest.mark.parametrize(
    "value",
    ["", "1", "INVITE", "INVITE 1", "-1 INVITE", "2147483648 INVITE", "1 IN VITE", "١ INVITE", "1 <x>",
     "36893488147419103232 REGISTER"],
)  # fmt: skip
def test_malformed_cseq(value: str) -> None:
    with pytest.raises(SipError):
        parse_cseq(value)
