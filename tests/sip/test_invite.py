"""Who calls whom and why: RFC 4458, RFC 7044, RFC 5806, P-Called-Party-ID."""

from __future__ import annotations

import pytest

from tests.sip.messages import parsed, request
from voice.sip import InviteFacts
from voice.sip.invite import Diversion, HistoryEntry


def facts(*headers: str, uri: str = "sip:vm@192.0.2.1", **replace: str) -> InviteFacts:
    return InviteFacts.of(parsed(request("INVITE", uri, *headers, replace=replace)))


def test_a_plain_call() -> None:
    assert facts() == InviteFacts("vm", "", None, (), (), "", "1001", "2000", "Bob")


@pytest.mark.parametrize(
    ("uri", "user", "cause"),
    [
        ("sip:voicemail@vm.example.com;target=sip:1001%40example.com;cause=486", "1001", 486),
        ("sip:vm@h;target=sip:1001%40example.com%3Buser=phone;cause=408", "1001", 408),
        ("sip:vm@h;target=sip:1001@example.com;cause=302", "1001", 302),
        ("sip:vm@h;target=1001", "1001", None),
        ("sip:vm@h;TARGET=1001%40h;Cause=503", "1001", 503),
        ("sip:vm@h;target=tel:%2B12015550123;cause=404", "+12015550123", 404),
        ("sip:vm@h;target=;cause=abc", "", None),
        ("sip:vm@h;target=%00%01%ff;cause=99999999999", "\ufffd", None),
        ("sip:vm@h;cause=480", "", 480),
    ],
)
def test_target_and_cause(uri: str, user: str, cause: int | None) -> None:
    found = facts(uri=uri)
    assert (found.target_user, found.target_cause) == (user, cause)


def test_diversions_newest_first_from_joined_and_repeated_headers() -> None:
    found = facts(
        'Diversion: "Ann, A." <sip:1003@pbx>;reason="user-busy";counter=1, <sip:1002@pbx>;reason=No-Answer;privacy=off',
        "DIVERSION: sip:1001@pbx;reason=unconditional",
        "Diversion: <tel:+4930123>",
    )
    assert found.diversions == (
        Diversion("1003", "user-busy"),
        Diversion("1002", "no-answer"),
        Diversion("1001", "unconditional"),
        Diversion("+4930123", "unknown"),
    )


def test_broken_diversions_are_left_out() -> None:
    found = facts("Diversion: <sip:1001@pbx, nonsense", "Diversion: <sip:1002@pbx>;reason=%ff%0a")
    assert found.diversions == (Diversion("1002", "\ufffd"),)


def test_history_with_the_reason_in_the_old_target() -> None:
    found = facts(
        "History-Info: <sip:1001@pbx?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%22>;index=1, "
        "<sip:1002@pbx?Reason=Q.850%3Bcause%3D19%2CSIP%3Bcause%3D408>;index=1.1;rc=1",
        "History-Info: <sip:vm@host>;index=1.2;mp=1",
    )
    assert found.history == (
        HistoryEntry("1001", "1", 486),
        HistoryEntry("1002", "1.1", 408),
        HistoryEntry("vm", "1.2", None),
    )


def test_history_with_the_cause_in_the_new_target() -> None:
    found = facts("History-Info: <sip:1001@pbx>;index=1, <sip:vm@host;cause=408>;index=1.1;mp=1")
    assert found.history[0] == HistoryEntry("1001", "1", 408)


def test_history_is_put_in_order_of_index() -> None:
    values = "<sip:d@h>;index=1.10, <sip:c@h>;index=1.2, <sip:b@h>;index=1.1.1, <sip:a@h>;index=1"
    assert [entry.user for entry in facts(f"History-Info: {values}").history] == ["a", "b", "c", "d"]


def test_history_without_index_and_with_nonsense() -> None:
    found = facts("History-Info: <sip:a@h>, <>;index=1, <sip:b@h>;index=x.y.99999999999999999999")
    assert {entry.user for entry in found.history} == {"a", "b"}


def test_called_party() -> None:
    assert facts("P-Called-Party-ID: <sip:1004@ims>", "P-Called-Party-ID: <sip:1005@ims>").called_party_user == "1004"


def test_names_are_printable_and_bounded() -> None:
    found = facts(From='"\x1b[31mEvil\x07 ' + "x" * 1000 + '" <sip:%0d%0aBcc%00' + "9" * 500 + "@h>;tag=1")
    assert found.caller_name.startswith("[31mEvil x")
    assert len(found.caller_name) == 128, "the width of the column"
    assert found.caller_number.startswith("Bcc999")
    assert len(found.caller_number) <= 128


def test_headers_of_the_pbxs_own_as_they_are_written() -> None:
    found = facts("X-Account-Id: 42", "x-note:  caf\u00e9 ", "X-Empty:", "Y-Other: 1", "X-ACCOUNT-ID: 43")
    assert found.x_headers == (("X-Account-Id", "42"), ("x-note", "caf\u00e9"), ("X-Empty", ""))


def test_headers_of_the_pbxs_own_are_printable_and_bounded() -> None:
    found = facts(
        "X-A: one\x1b[31m\x07two\u2028X-False: no",
        "X-Folded: one\r\n\tX-Inside: two",
        "X-" + "n" * 63 + ": too long a name",
        "X-Long: " + "y" * 2000,
        *(f"X-More-{number}: 1" for number in range(60)),
    )
    names = [name for name, _ in found.x_headers]
    assert found.x_headers[0] == ("X-A", "one[31mtwoX-False: no")
    assert found.x_headers[1] == ("X-Folded", "one X-Inside: two")
    assert (names[2], len(found.x_headers[2][1]), len(names)) == ("X-Long", 512, 30)


def test_undecodable_bytes_are_replaced() -> None:
    data = request("INVITE").replace(b'"Bob"', b'"B\xff\xfeb"')
    assert InviteFacts.of(parsed(data)).caller_name == "B??b"


def test_a_name_in_another_script() -> None:
    assert facts(From='"山田 太郎" <sip:2000@h>;tag=1').caller_name == "山田 太郎"


def test_no_more_entries_than_anybody_needs() -> None:
    found = facts(*["Diversion: <sip:1@h>, <sip:2@h>"] * 100)
    assert len(found.diversions) == 50
