"""IPv6 in SIP: the cases of RFC 5118."""

from __future__ import annotations

import pytest

from tests.sip.messages import described, parsed, request
from voice.sip import SipError, SipMessage
from voice.sip.headers import parse_name_addr, parse_via
from voice.sip.response import build_response, response_address
from voice.sip.sdp import agree, parse_sdp, write_answer
from voice.sip.uri import parse_uri, same_host


def test_a_reference_in_brackets() -> None:
    """Section 4.1; without brackets (4.2) the URI is malformed."""
    assert parse_uri("sip:[2001:db8::10]").address == ("2001:db8::10", 5060)
    assert parse_name_addr("sip:user@[2001:db8::10];tag=1").tag == "1"
    with pytest.raises(SipError) as refused:
        parsed(request("REGISTER", "sip:2001:db8::10"))
    assert refused.value.status == 400


def test_a_port_stands_behind_the_bracket() -> None:
    """Sections 4.3 and 4.4: within the brackets it is a part of the address."""
    assert parse_uri("sip:[2001:db8::10:5070]").address == ("2001:db8::10:5070", 5060)
    assert parse_uri("sip:[2001:db8::10]:5070").address == ("2001:db8::10", 5070)


@pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
def test_received_with_and_without_brackets(received: str) -> None:
    """Section 4.5: either is read, and replaced by what we see."""
    via = parse_via(f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bK1")
    assert (via.host, via.param("received")) == ("2001:db8::9:1", received)
    assert via.answered_to(("2001:db8::9:1", 5060)) == "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK1"


@pytest.mark.parametrize(
    ("sent_by", "source"),
    [("[2001:DB8:0:0::9:1]:5070", "2001:db8::9:1"), ("[::ffff:192.0.2.1]:5070", "192.0.2.1"),
     ("192.0.2.1:5070", "::ffff:192.0.2.1")],
)  # fmt: skip
def test_an_address_is_the_same_however_it_is_spelled(sent_by: str, source: str) -> None:
    """The answer goes to the port of the Via, since nothing stands between us (RFC 3261 section 18.2.2)."""
    data = request("OPTIONS", replace={"Via": f"SIP/2.0/UDP {sent_by};branch=z9hG4bK1"})
    message = SipMessage(data, (source, 40000))
    assert response_address(message) == (source, 5070)
    assert SipMessage(build_response(message, 200)).vias[0].param("received") is None


def test_other_addresses_and_names_are_others() -> None:
    assert not same_host("2001:db8::1", "2001:db8::2")
    assert not same_host("host", "192.0.2.1")
    assert same_host("host", "host")


def test_several_families_in_one_description() -> None:
    """Section 4.8: the line that we can take is taken."""
    lines = ("v=0", "s=-", "t=0 0", "m=audio 6000 RTP/AVP 0", "c=IN IP6 2001:db8::1")
    with pytest.raises(SipError) as refused:
        agree(parse_sdp(described(*lines).decode()))
    assert refused.value.status == 488
    agreed = agree(parse_sdp(described(*lines, "m=audio 6002 RTP/AVP 0", "c=IN IP4 192.0.2.1").decode()))
    assert (agreed.line, agreed.host, agreed.port) == (1, "192.0.2.1", 6002)


def test_addresses_of_a_description_are_ipv6_where_that_can_be_reached() -> None:
    lines = ("v=0", "s=-", "t=0 0", "c=IN IP6 2001:DB8:0::1", "m=audio 6000 RTP/AVP 0")
    for more, control in (
        ("a=rtcp:6009", ("2001:db8::1", 6009)),
        ("a=rtcp:6009 IN IP6 2001:db8::0:2", ("2001:db8::2", 6009)),
        ("a=rtcp:6009 IN IP4 192.0.2.1", ("2001:db8::1", 6009)),
    ):
        offer = parse_sdp(described(*lines, more).decode())
        agreed = agree(offer, versions=(6,))
        assert (agreed.host, agreed.rtcp) == ("2001:db8::1", control)
    answer = write_answer(offer, agreed, "2001:db8::5", 20000, "7", 1).decode()
    assert "o=- 7 1 IN IP6 2001:db8::5\r\n" in answer
    assert "c=IN IP6 2001:db8::5\r\n" in answer
