"""URIs (RFC 3261 section 19.1, RFC 3966)."""

from __future__ import annotations

import pytest

from voice.sip import SipError
from voice.sip.uri import bracketed, parse_host_port, parse_uri


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:1001@pbx.example.com", "1001", "pbx.example.com", None),
        ("SIP:1001@PBX.Example.COM:5070", "1001", "pbx.example.com", 5070),
        ("sips:1001@192.0.2.1:5061", "1001", "192.0.2.1", 5061),
        ("sip:192.0.2.1", "", "192.0.2.1", None),
        ("sip:+49%2030@example.com", "+49 30", "example.com", None),
        ("sip:1001:secret@example.com", "1001", "example.com", None),
        ("sip:alice;day=tuesday@atlanta.com", "alice;day=tuesday", "atlanta.com", None),
        ("sip:1001@[2001:db8::10]:5070", "1001", "2001:db8::10", 5070),
        ("sip:%E4%BD%A0@example.com", "你", "example.com", None),
        ("sip:caf%E9@example.com", "caf\ufffd", "example.com", None),
        ("tel:+1-201-555-0123;phone-context=x", "+1-201-555-0123", "", None),
    ],
)
def test_parts(text: str, user: str, host: str, port: int | None) -> None:
    uri = parse_uri(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)
    assert str(uri) == text


def test_parameters_and_headers_are_unescaped() -> None:
    uri = parse_uri("sip:vm@h;target=sip:1001%40pbx;Cause=486;lr?Reason=SIP%3Bcause%3D486&a=b")
    assert uri.params == {"target": "sip:1001@pbx", "cause": "486", "lr": ""}
    assert uri.headers == {"reason": "SIP;cause=486", "a": "b"}


def test_the_first_of_two_equal_parameters_counts() -> None:
    assert parse_uri("sip:vm@h;cause=486;cause=302").params["cause"] == "486"


def test_only_an_ip_address_can_be_sent_to() -> None:
    assert parse_uri("sip:a@192.0.2.1").address == ("192.0.2.1", 5060)
    assert parse_uri("sip:a@[2001:db8::1]:5070").address == ("2001:db8::1", 5070)
    assert parse_uri("sip:a@example.com").address is None


def test_a_foreign_scheme_is_kept_as_text() -> None:
    uri = parse_uri("soap.beep://192.0.2.103:3002")
    assert (uri.scheme, uri.is_sip, uri.raw) == ("soap.beep", False, "soap.beep://192.0.2.103:3002")


@pytest.mark.parametrize(
    "text",
    [
        "", "sip", "sip:", "sip:@host", "sip:user@", "sip:user@ho st", "sip:us er@host", "sip:user@host:0",
        "sip:user@host:65536", "sip:user@host:123456", "sip:user@host:", "sip:user@host:abc", "sip:user@[::1",
        "sip:user@[192.0.2.1]", "sip:user@[zz::1]", "sip:user@-host", "sip:user@ho..st", "sip:<user>@host",
        "sip:user@host\x00", "sip:user@host\r\n", "1sip:user@host", ":user@host", "tel:", "tel:abc xyz", "tel:+1@host",
        "sip:user@h\u00f6st",
    ],
)  # fmt: skip
def test_malformed(text: str) -> None:
    with pytest.raises(SipError) as refused:
        parse_uri(text)
    assert refused.value.status == 400


def test_host_and_port_of_a_via() -> None:
    assert parse_host_port(" host : 5070 ") == ("host", 5070)
    assert parse_host_port("[::1]") == ("::1", None)
    assert bracketed("::1") == "[::1]"
    assert bracketed("host") == "host"
