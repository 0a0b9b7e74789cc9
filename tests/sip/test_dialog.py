"""A dialog as its UAS sees it (RFC 3261 section 12)."""

from __future__ import annotations

import pytest

from tests.sip.messages import SOURCE, parsed, request
from voice.sip import SipError, SipMessage
from voice.sip.dialog import Dialog, identity_of

LOCAL = ("192.0.2.1", 5060)


def dialog(*headers: str, **replace: str) -> Dialog:
    return Dialog(parsed(request("INVITE", "sip:1001@192.0.2.1", *headers, replace=replace)), "ours", LOCAL)


def bye_of(made: Dialog) -> tuple[SipMessage, tuple[str, int]]:
    data, destination = made.build_request("BYE", "z9hG4bK-bye")
    return SipMessage(data), destination


def test_our_bye_turns_the_headers_round() -> None:
    bye, destination = bye_of(dialog(From='"Bob" <sip:2000@pbx>;tag=theirs', To="<sip:1001@vm>", **{"Call-ID": "abc"}))
    assert destination == SOURCE
    assert (bye.method, bye.uri.raw) == ("BYE", "sip:2000@192.0.2.10:5080")
    assert (bye.from_.uri.raw, bye.from_.tag) == ("sip:1001@vm", "ours")
    assert (bye.to.display, bye.to.tag) == ("Bob", "theirs")
    assert (bye.call_id, bye.cseq) == ("abc", (1, "BYE"))
    assert bye.header("Via") == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-bye;rport"
    assert bye.header("Max-Forwards") == "70"
    assert bye.header("Route") is None


def test_sequence_numbers_grow() -> None:
    made = dialog()
    assert [bye_of(made)[0].cseq[0] for _ in range(3)] == [1, 2, 3]


def test_a_contact_with_name_and_parameters() -> None:
    bye, destination = bye_of(dialog(Contact='"Bob, the" <sip:b%20b@192.0.2.20:7000;ob;transport=udp>;expires=60'))
    assert bye.uri.raw == "sip:b%20b@192.0.2.20:7000;ob;transport=udp"
    assert destination == ("192.0.2.20", 7000)


def test_a_contact_that_is_a_name_is_reached_where_the_request_came_from() -> None:
    bye, destination = bye_of(dialog(Contact="<sip:2000@pbx.example.com:5070>"))
    assert bye.uri.raw == "sip:2000@pbx.example.com:5070"
    assert destination == SOURCE


def test_without_a_contact_the_source_is_the_target() -> None:
    bye, destination = bye_of(Dialog(parsed(request("INVITE", drop=["Contact"])), "ours", LOCAL))
    assert bye.uri.raw == "sip:192.0.2.10:5080"
    assert destination == SOURCE


@pytest.mark.parametrize("host", ["0.0.0.0", "239.1.2.3", "255.255.255.255", "127.0.0.1", "[2001:db8::1]"])
def test_an_address_that_leads_nowhere_is_replaced_by_the_source(host: str) -> None:
    assert bye_of(dialog(Contact=f"<sip:2000@{host}:5070>"))[1] == SOURCE


def test_a_private_contact_of_a_public_source_is_behind_a_nat() -> None:
    invite = SipMessage(request("INVITE", replace={"Contact": "<sip:2000@192.168.1.5:5060>"}), ("8.8.8.8", 40000))
    assert Dialog(invite, "ours", LOCAL).build_request("BYE", "b")[1] == ("8.8.8.8", 40000)


@pytest.mark.parametrize("hop", ["sip:192.0.2.30;transport=tls", "sip:192.0.2.30:443;transport=WSS", "sips:192.0.2.30"])
def test_a_hop_that_is_not_reached_by_udp_is_replaced_by_the_source(hop: str) -> None:
    """Who has brought us a request over UDP takes ours back to the other transport."""
    assert bye_of(dialog(Contact=f"<{hop}>"))[1] == SOURCE
    bye, destination = bye_of(dialog(f"Record-Route: <{hop};lr>"))
    assert (destination, bye.header("Route")) == (SOURCE, f"<{hop};lr>")


def test_a_hop_that_says_udp_is_followed() -> None:
    assert bye_of(dialog(Contact="<sip:192.0.2.30:5062;transport=UDP>"))[1] == ("192.0.2.30", 5062)


def test_record_route_becomes_the_route_set_in_order() -> None:
    bye, destination = bye_of(
        dialog("Record-Route: <sip:192.0.2.30;lr>, <sip:192.0.2.31;lr>", "record-route: <sip:p3;lr>")
    )
    assert bye.raw_values("Route") == ["<sip:192.0.2.30;lr>", "<sip:192.0.2.31;lr>", "<sip:p3;lr>"]
    assert bye.uri.raw == "sip:2000@192.0.2.10:5080"
    assert destination == ("192.0.2.30", 5060)


def test_a_strict_router_gets_itself_as_request_uri() -> None:
    bye, destination = bye_of(dialog("Record-Route: <sip:192.0.2.30:5062>", "Record-Route: <sip:192.0.2.31;lr>"))
    assert bye.uri.raw == "sip:192.0.2.30:5062"
    assert bye.raw_values("Route") == ["<sip:192.0.2.31;lr>", "<sip:2000@192.0.2.10:5080>"]
    assert destination == ("192.0.2.30", 5062)


@pytest.mark.parametrize("value", ["<tel:+1>", "nonsense", "<sip:a@h"])
def test_a_route_that_cannot_be_followed(value: str) -> None:
    with pytest.raises(SipError) as refused:
        dialog(f"Record-Route: {value}")
    assert refused.value.status == 400


def test_a_request_out_of_order() -> None:
    made = dialog(CSeq="5 INVITE")
    made.accept(parsed(request("BYE", replace={"CSeq": "7 BYE"})))
    with pytest.raises(SipError) as refused:
        made.accept(parsed(request("INFO", replace={"CSeq": "6 INFO"})))
    assert refused.value.status == 500


def test_the_other_side_may_move() -> None:
    made = dialog(Contact="<sip:2000@pbx>")
    replaced = {"CSeq": "2 INVITE", "Contact": "<sip:2000@10.0.0.9:6000>"}
    moved = SipMessage(request("INVITE", replace=replaced), ("10.0.0.9", 6000))
    made.accept(moved)
    made.refresh_target(moved)
    bye, destination = bye_of(made)
    assert (bye.uri.raw, destination) == ("sip:2000@10.0.0.9:6000", ("10.0.0.9", 6000))


def test_identity() -> None:
    made = dialog(**{"Call-ID": "abc", "From": "<sip:2000@h>;tag=theirs"})
    inside = parsed(
        request("BYE", replace={"Call-ID": "abc", "From": "<sip:2000@h>;tag=theirs", "To": "<sip:x@h>;tag=ours"})
    )
    assert identity_of(inside) == made.identity
    assert made.matches(inside)
    assert not made.matches(parsed(request("BYE", replace={"From": "<sip:2000@h>;tag=other"})))
