"""Who is let in, and to which flow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from voice import reception
from voice.call import Call, CallFacts
from voice.errors import KeeperAway
from voice.flows.leave_message import LOG_IN
from voice.flows.outcome import Limits, Outcome
from voice.flows.talk import Desk
from voice.mailbox import MailboxFacts
from voice.prompts import Prompts
from voice.reception import Programs, Reception, Refused
from voice.router import ANY, OWN
from voice.twiml.script import Script

ALICE = MailboxFacts("box-1", "1001", "Alice", "en", "UTC", aliases=("1501",))
BOB = MailboxFacts("box-2", "1002", "Bob", "fr", "UTC")
FACTS = CallFacts("id", "1002", "Bob", ("1001",), address="192.0.2.7", trusted=True)


class Directory:
    """Two mailboxes, or nobody who knows them."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[list[str]] = []

    def find_mailbox(self, extensions: list[str]) -> MailboxFacts | None:
        self.asked.append(extensions)
        if self.away:
            raise KeeperAway("away")
        numbers = {"1001": ALICE, "1501": ALICE, "1002": BOB}
        return next((numbers[name] for name in extensions if name in numbers), None)


class House:
    """A reception whose flows note how they are entered."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, star_login: str, free_disk: int = 0) -> None:
        self.directory = Directory()
        self.checked: list[tuple[MailboxFacts | None, bool]] = []
        self.left: list[MailboxFacts] = []
        self.star = True
        desk = Desk(Prompts("en"), None, Limits(5.0, 120.0), folder, "en")  # type: ignore[arg-type]
        monkeypatch.setattr(reception, "leave_message", self._leave)
        monkeypatch.setattr(reception, "check_messages", self._check)
        self.reception = Reception(self.directory, desk, None, folder, free_disk, star_login)  # type: ignore[arg-type]

    def takes(self, facts: CallFacts) -> Outcome:
        return self.reception.admit(facts).run(Call(None, facts, None))  # type: ignore[arg-type]

    def _leave(self, _call: Call, mailbox: MailboxFacts, *rest: Any) -> Outcome:
        """A caller who presses * in the greeting."""
        self.left.append(mailbox)
        may_log_in = rest[3]
        return Outcome(LOG_IN if may_log_in and may_log_in() else "key")

    def _check(self, _call: Call, _desk: Desk, mailbox: MailboxFacts | None = None, own_phone: bool = False) -> Outcome:
        self.checked.append((mailbox, own_phone))
        return Outcome("checked")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch, "inside")


@pytest.mark.parametrize(
    ("caller", "trusted", "own", "own_phone"),
    [
        ("1001", True, ALICE, True),
        # An alias may be any phone's number, a mobile's on the street: the PIN is asked for.
        ("1501", True, ALICE, False),
        ("+1002", True, BOB, True),
        ("1003", True, None, False),
        ("anonymous", True, None, False),
        ("", True, None, False),
        ("1001", False, None, False),
    ],
)
def test_an_extension_that_dials_in_is_known_where_the_pbx_says_who_calls(
    house: House, caller: str, trusted: bool, own: MailboxFacts | None, own_phone: bool
) -> None:
    facts = replace(FACTS, caller_number=caller, trusted=trusted, service=OWN)
    assert house.reception.admit(facts).mailbox == own
    assert house.takes(facts).ended_by == "checked"
    assert house.checked == [(own, own_phone)]


def test_any_mailbox_may_be_asked_for(house: House) -> None:
    house.takes(replace(FACTS, service=ANY))
    assert house.checked == [(None, False)]


@pytest.mark.parametrize("service", [OWN, ANY])
def test_owners_get_in_while_nobody_knows_mailboxes_and_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    house = House(tmp_path, monkeypatch, "inside", free_disk=1 << 60)
    house.directory.away = True
    house.takes(replace(FACTS, service=service))
    assert house.checked == [(None, False)]


def test_a_caller_leaves_a_message(house: House) -> None:
    facts = replace(FACTS, caller_number="0301234567")
    assert house.takes(facts).ended_by == "key"
    assert (house.left, house.checked) == ([ALICE], [])


@pytest.mark.parametrize(
    ("star_login", "caller", "trusted", "logs_in"),
    [
        ("inside", "1002", True, True),
        ("inside", "1002", False, False),
        ("inside", "0301234567", True, False),
        ("always", "0301234567", False, True),
        ("never", "1001", True, False),
    ],
)
def test_whom_star_leads_to_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, star_login: str, caller: str, trusted: bool, logs_in: bool
) -> None:
    house = House(tmp_path, monkeypatch, star_login)
    house.takes(replace(FACTS, caller_number=caller, trusted=trusted))
    assert house.checked == ([(ALICE, False)] if logs_in else [])


@pytest.mark.parametrize(("caller", "trusted", "own_phone"), [("1001", True, True), ("1501", True, False)])
def test_who_calls_his_own_number_and_presses_star_calls_from_his_own_phone(
    house: House, caller: str, trusted: bool, own_phone: bool
) -> None:
    house.takes(replace(FACTS, caller_number=caller, trusted=trusted))
    assert house.checked == [(ALICE, own_phone)]


def test_a_stranger_who_claims_the_number_and_presses_star_has_no_phone_of_the_mailbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, monkeypatch, "always")
    house.takes(replace(FACTS, caller_number="1001", trusted=False))
    assert house.checked == [(ALICE, False)]


def test_nobody_is_looked_up_who_presses_no_star(house: House) -> None:
    house.reception.admit(FACTS)
    assert house.directory.asked == [["1001"]]


@pytest.mark.parametrize(("extensions", "away", "status"), [(("9999",), False, 404), (("1001",), True, 503)])
def test_refusals(house: House, extensions: tuple[str, ...], away: bool, status: int) -> None:
    house.directory.away = away
    with pytest.raises(Refused) as refused:
        house.reception.admit(replace(FACTS, extensions=extensions))
    assert refused.value.status == status
    assert ("Retry-After" in refused.value.headers) == (status == 503)


def test_a_full_disk_takes_no_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused) as refused:
        House(tmp_path, monkeypatch, "inside", free_disk=1 << 60).reception.admit(FACTS)
    assert refused.value.status == 503


NUMBER = Script("number-1", "5551234", "en", "http://127.0.0.1/voice")
OWN_SCRIPT = Script("number-2", "1001", "en", "http://127.0.0.1/alice", mailbox_id="box-1")


class TestPrograms:
    """Numbers and mailboxes with a script of their own."""

    @pytest.fixture
    def answers(self, house: House) -> dict[str, Any]:
        """What is found for a call; run notes who answered."""
        answers: dict[str, Any] = {"found": (None, None), "asked": [], "ran": [], "away": False}

        class Scripts:
            def find_script(
                self, dialled: list[str], extensions: list[str]
            ) -> tuple[Script | None, MailboxFacts | None]:
                answers["asked"].append((dialled, extensions))
                if answers["away"]:
                    raise KeeperAway("away")
                found: tuple[Script | None, MailboxFacts | None] = answers["found"]
                return found

        def run(_call: Call, script: Script, mailbox: MailboxFacts | None) -> Outcome:
            answers["ran"].append((script, mailbox))
            return Outcome("document")

        house.reception.programs = Programs(Scripts(), run)
        return answers

    def test_a_number_answers_by_its_script(self, house: House, answers: dict[str, Any]) -> None:
        answers["found"] = (NUMBER, None)
        facts = replace(FACTS, dialled=("5551234", "5000"), extensions=("5000",))
        assert house.reception.admit(facts).mailbox is None
        assert house.takes(facts).ended_by == "document"
        assert answers["ran"] == [(NUMBER, None)]
        assert answers["asked"][0] == (["5551234", "5000"], ["5000"])
        assert house.directory.asked == [], "it is one round trip"

    def test_a_mailbox_answers_by_its_own_script(self, house: House, answers: dict[str, Any]) -> None:
        answers["found"] = (OWN_SCRIPT, ALICE)
        assert house.reception.admit(FACTS).mailbox == ALICE
        assert house.takes(FACTS).ended_by == "document"
        assert answers["ran"] == [(OWN_SCRIPT, ALICE)]

    def test_a_mailbox_without_one_answers_as_ever(self, house: House, answers: dict[str, Any]) -> None:
        answers["found"] = (None, ALICE)
        house.takes(FACTS)
        assert (house.left, answers["ran"]) == ([ALICE], [])

    @pytest.mark.parametrize(("away", "status"), [(False, 404), (True, 503)])
    def test_refusals(self, house: House, answers: dict[str, Any], away: bool, status: int) -> None:
        answers["away"] = away
        with pytest.raises(Refused) as refused:
            house.reception.admit(FACTS)
        assert refused.value.status == status

    @pytest.mark.parametrize("service", [OWN, ANY])
    def test_the_numbers_of_owners_come_first(self, house: House, answers: dict[str, Any], service: str) -> None:
        answers["found"] = (NUMBER, None)
        assert house.takes(replace(FACTS, service=service, dialled=("*97",))).ended_by == "checked"
        assert answers["asked"] == []

    def test_a_full_disk_takes_no_messages_but_calls_to_numbers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], house: House
    ) -> None:
        full = House(tmp_path, monkeypatch, "inside", free_disk=1 << 60)
        full.reception.programs = house.reception.programs
        answers["found"] = (NUMBER, None)
        assert full.takes(FACTS).ended_by == "document"
        for found in ((OWN_SCRIPT, ALICE), (None, ALICE)):
            answers["found"] = found
            with pytest.raises(Refused) as refused:
                full.reception.admit(FACTS)
            assert refused.value.status == 503

    @pytest.mark.parametrize(
        ("caller", "trusted", "own", "own_phone"), [("1001", True, ALICE, True), ("0301234", True, None, False)]
    )
    def test_a_script_hands_an_owner_over(
        self, house: House, caller: str, trusted: bool, own: MailboxFacts | None, own_phone: bool
    ) -> None:
        """<Mailbox/>: as *97 does, and as *98 where nobody knows whose phone it is."""
        facts = replace(FACTS, caller_number=caller, trusted=trusted)
        house.reception.check_messages(Call(None, facts, None))  # type: ignore[arg-type]
        assert house.checked == [(own, own_phone)]
