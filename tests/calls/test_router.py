"""Which mailbox is this call for?"""

from __future__ import annotations

import pytest

from voice.router import ANY, OWN, Rules, normalise, route
from voice.sip import InviteFacts
from voice.sip.invite import Diversion, HistoryEntry

RULES = Rules()


def facts(**given: object) -> InviteFacts:
    plain: dict[str, object] = {
        "dialled_user": "voicemail",
        "target_user": "",
        "target_cause": None,
        "history": (),
        "diversions": (),
        "called_party_user": "",
        "to_user": "5000",
        "caller_number": "2000",
        "caller_name": "Bob",
    }
    return InviteFacts(**{**plain, **given})  # type: ignore[arg-type]


def extensions(invite: InviteFacts, rules: Rules = RULES) -> tuple[str, ...]:
    return route(invite, "id", True, rules).extensions


def test_the_target_parameter_comes_first() -> None:
    invite = facts(target_user="1001", target_cause=486, diversions=(Diversion("1002", "no-answer"),))
    routed = route(invite, "id", True, RULES)
    assert routed.extensions == ("1001", "1002", "5000")
    assert routed.reason == "busy"


def test_history_info_names_the_party_called_first() -> None:
    history = (HistoryEntry("1001", "1", 408), HistoryEntry("1002", "1.1", 486), HistoryEntry("vm", "1.2", None))
    assert extensions(facts(history=history))[0] == "1001"
    assert extensions(facts(history=history), rules=Rules("last"))[0] == "1002"


def test_the_oldest_diversion_is_the_party_called_first() -> None:
    diversions = (Diversion("1003", "user-busy"), Diversion("1001", "no-answer"))
    assert extensions(facts(diversions=diversions))[0] == "1001"
    assert extensions(facts(diversions=diversions), rules=Rules("last"))[0] == "1003"


def test_called_party_and_to_follow() -> None:
    assert extensions(facts(called_party_user="1004")) == ("1004", "5000")


def test_a_stranger_cannot_choose_by_headers() -> None:
    invite = facts(target_user="1001", diversions=(Diversion("1002", "no-answer"),), called_party_user="1003")
    routed = route(invite, "id", False, RULES)
    assert routed.extensions == ("5000",)
    assert routed.reason == ""


def test_a_general_mailbox_takes_the_rest() -> None:
    assert extensions(facts(to_user="nobody"), rules=Rules(general="9000")) == ("9000",)


@pytest.mark.parametrize(
    ("user", "extension"),
    [
        ("1001", "1001"),
        ("+49 (30) 12-34.5", "493012345"),
        ("1001;phone-context=x", "1001"),
        ("alice", ""),
        ("", ""),
        ("1" * 20, "1" * 20),
        ("1" * 21, ""),
        ("١٠٠١", ""),
        ("*97", ""),
        ("10\x0001", ""),
    ],
)
def test_normalise(user: str, extension: str) -> None:
    assert normalise(user) == extension


NUMBERS = Rules(own_number="*97", any_number="*98")


@pytest.mark.parametrize(
    ("given", "service"),
    [
        ({"dialled_user": "*97"}, OWN),
        ({"dialled_user": "*97;phone-context=pbx"}, OWN),
        ({"to_user": "*97"}, OWN),
        ({"dialled_user": "*98", "to_user": "*97"}, ANY),
        ({"dialled_user": "*97", "diversions": (Diversion("1001", "no-answer"),)}, OWN),
        ({"dialled_user": "97"}, ""),
        ({"dialled_user": "*970"}, ""),
        ({"dialled_user": "", "to_user": ""}, ""),
        ({"called_party_user": "*97"}, ""),
    ],
)
@pytest.mark.parametrize("trusted", [True, False])
def test_the_numbers_that_owners_dial(given: dict[str, object], service: str, trusted: bool) -> None:
    assert route(facts(**given), "id", trusted, NUMBERS).service == service


def test_numbers_that_are_not_set_are_nobodys() -> None:
    assert route(facts(dialled_user="", to_user=""), "id", True, Rules()).service == ""
    assert route(facts(dialled_user="*97"), "id", True, Rules()).service == ""


@pytest.mark.parametrize("trusted", [True, False])
def test_where_the_call_comes_from(trusted: bool) -> None:
    routed = route(facts(), "id", trusted, RULES, "192.0.2.7")
    assert (routed.address, routed.trusted) == ("192.0.2.7", trusted)


@pytest.mark.parametrize(
    ("given", "dialled"),
    [
        ({"dialled_user": "5551234", "to_user": "5551234"}, ("5551234",)),
        ({"dialled_user": "*98", "to_user": "+49 30 12;phone-context=x"}, ("*98", "+49 30 12")),
        ({"dialled_user": "", "to_user": "5000"}, ("5000",)),
        ({"dialled_user": "", "to_user": ""}, ()),
    ],
)
def test_what_was_dialled_as_it_came(given: dict[str, object], dialled: tuple[str, ...]) -> None:
    assert route(facts(**given), "id", False, RULES).dialled == dialled


def test_whom_the_call_was_diverted_from() -> None:
    invite = facts(diversions=(Diversion("1003", "no-answer"), Diversion("+49301;x=y", "no-answer")))
    assert route(invite, "id", True, RULES).forwarded_from == "+49301"
    assert route(invite, "id", False, RULES).forwarded_from == "", "anybody may write that"
    assert route(facts(), "id", True, RULES).forwarded_from == ""


def test_headers_of_the_pbxs_own_go_along() -> None:
    assert route(facts(x_headers=(("X-A", "1"),)), "id", False, RULES).x_headers == (("X-A", "1"),)
