"""Redirect, Reject, Hangup, and ours: how a call goes on, and how it ends.

The rules that are quoted are those of docs/twiml.md and of Twilio's pages, in our words.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.calls.scripted import POUND, Committed
from tests.peers.speech import speech
from tests.twiml.programme import HUNG_UP, Programme
from tests.twiml.test_verbs_heard import END
from voice.errors import KeeperAway
from voice.flows.outcome import Limits
from voice.flows.talk import Desk
from voice.mailbox import MailboxFacts
from voice.reception import Reception
from voice.takes import TakeRules, Takes


class TestRedirect:
    def test_it_goes_on_with_another_document(self, programme: Programme) -> None:
        """What follows it is never reached; the URL may be relative."""
        programme.site.serve("/menu/next", "<Redirect>again?x=1</Redirect>")
        programme.site.serve("/menu/again", "<Say>two</Say>")
        programme.call("<Say>one</Say><Redirect>menu/next</Redirect><Say>never</Say>")
        assert programme.heard == ["one", "two", END]
        assert programme.site.of("/menu/again")[0].query == {"x": "1"}
        assert [asked.method for asked in programme.site.asked] == ["POST"] * 3

    def test_method(self, programme: Programme) -> None:
        """method: GET puts the parameters into the query."""
        programme.site.serve("/next")
        programme.call('<Redirect method="GET">/next</Redirect>')
        (asked,) = programme.site.of("/next")
        assert (asked.method, asked["To"]) == ("GET", "5551234")

    def test_as_the_first_verb_it_does_not_answer(self, programme: Programme) -> None:
        """The call rings until something is heard; CallStatus says so."""
        programme.site.serve("/next", "<Say>Hello</Say><Redirect>/last</Redirect>")
        programme.site.serve("/last")
        programme.call("<Redirect>/next</Redirect>")
        assert programme.site.of("/next")[0]["CallStatus"] == "ringing"
        assert programme.site.of("/last")[0]["CallStatus"] == "in-progress"

    def test_a_loop_in_which_nothing_happens_has_an_end(self, programme: Programme) -> None:
        """Documents may lead to each other programmable.most_documents times; then the call ends, and it says why."""
        programme.most_documents = 7
        programme.call("<Redirect/>")
        assert len(programme.site.asked) == 7
        assert programme.heard == ["<application_error en>", END]
        assert programme.ledger.states[-1].error_code == 11215
        assert (
            programme.ledger.states[-1].error == "7 documents followed each other, and nothing happened for the caller."
        )

    def test_a_loop_shows_the_fallback_no_password(self, programme: Programme) -> None:
        """ErrorUrl is without the user and password of the URL that failed."""
        base = programme.site.base
        voice_url = base.replace("://", "://robot:hunter2@") + "/voice"
        programme.script = replace(programme.script, voice_url=voice_url, fallback_url=f"{base}/fallback")
        programme.most_documents = 7
        programme.site.serve("/fallback", "<Say>Sorry</Say>")
        programme.call("<Redirect/>")
        (asked,) = programme.site.of("/fallback")
        assert (asked["ErrorCode"], asked["ErrorUrl"]) == ("11215", base.replace("://", "://***@") + "/voice")
        assert programme.heard == ["Sorry", END]

    def test_a_loop_in_which_the_caller_hears_something_goes_on(self, programme: Programme) -> None:
        """A menu may come again as often as the caller likes."""
        programme.most_documents = 3
        programme.call("<Say>Menu</Say><Redirect/>", on_play={20: (HUNG_UP,)})
        assert programme.heard == ["Menu"] * 20
        assert programme.ledger.states[-1].error_code == 0

    def test_a_loop_that_waits_goes_on(self, programme: Programme) -> None:
        """A caller may wait in silence for something that takes its time."""
        programme.most_documents = 3
        programme.call("<Gather/><Pause/><Redirect/>", on_play={6: (HUNG_UP,)})
        assert len(programme.site.asked) == 6

    def test_a_hang_up_while_it_is_asked(self, programme: Programme) -> None:
        """The call ends at once, however slow the server is."""
        call = programme.dialled()
        programme.site.serve("/voice", "<Say>a</Say><Redirect>/next</Redirect>")
        programme.site.serve("/next", "<Say>never</Say>", meanwhile=lambda: call.post(HUNG_UP))
        programme.run(call)
        assert programme.heard == ["a"]


class TestReject:
    @pytest.mark.parametrize(
        ("verb", "status", "call_status"),
        [
            ("<Reject/>", 603, "no-answer"),
            ('<Reject reason="rejected"/>', 603, "no-answer"),
            ('<Reject reason="busy"/>', 486, "busy"),
        ],
    )
    def test_as_the_first_verb_it_does_not_answer(
        self, programme: Programme, verb: str, status: int, call_status: str
    ) -> None:
        """reason busy is SIP 486, rejected is 603; the call ends with busy or no-answer."""
        programme.script = replace(programme.script, status_callback=f"{programme.site.base}/status")
        programme.site.serve("/status")
        programme.call(f"{verb}<Say>never</Say>")
        assert (programme.leg.rejected_with, programme.leg.answered) == (status, False)
        assert programme.heard == []
        assert programme.ledger.statuses == ["ringing", call_status]
        asked = programme.status_callback()
        assert (asked["CallStatus"], asked["CallDuration"], asked["Duration"]) == (call_status, "0", "0")

    def test_after_a_redirect_it_still_does_not_answer(self, programme: Programme) -> None:
        """Only what is heard answers a call."""
        programme.site.serve("/next", '<Reject reason="busy"/>')
        programme.call("<Redirect>/next</Redirect>")
        assert programme.leg.rejected_with == 486

    def test_too_late_it_hangs_up(self, programme: Programme) -> None:
        """A call that was answered cannot be rejected: it ends, and the developer sees why."""
        programme.call('<Say>Hello</Say><Reject reason="busy"/><Say>never</Say>')
        assert programme.heard == ["Hello", END]
        assert (programme.leg.rejected_with, programme.leg.hung_up) == (0, True)
        assert programme.ledger.statuses[-1] == "completed"
        (notice,) = programme.ledger.of("notice")
        assert (notice.what[:24], notice.detail["code"], notice.detail["line"]) == (
            "<Reject> comes too late:",
            13810,
            1,
        )


class TestHangup:
    def test_it_ends_the_call(self, programme: Programme) -> None:
        """What follows it is never reached."""
        outcome = programme.call("<Say>Bye</Say><Hangup/><Say>never</Say>")
        assert programme.heard == ["Bye", END]
        assert outcome
        assert outcome.ended_by == "document"

    @pytest.mark.parametrize("verbs", ["<Hangup/>", " "])
    def test_as_the_first_verb_it_answers(self, programme: Programme, verbs: str) -> None:
        """Only Reject leaves a call unanswered; an empty document ends it just so."""
        programme.call(verbs)
        assert programme.ledger.statuses == ["ringing", "in-progress", "completed"]
        assert programme.leg.hung_up

    def test_a_caller_who_is_quicker(self, programme: Programme) -> None:
        """Both hang up at once: the call is completed."""
        programme.call("<Hangup/>", on_play={1: (HUNG_UP,)})
        assert programme.ended_by == "caller hung up"
        assert programme.ledger.statuses[-1] == "completed"


class TestVoicemail:
    def test_the_mailbox_takes_the_call(self, programme: Programme) -> None:
        """mailbox: its extension. What follows is never reached."""
        outcome = programme.call('<Say>Hello</Say><Voicemail mailbox="1001" reason="busy"/><Say>never</Say>')
        assert programme.left == [("1001", "busy")]
        assert programme.heard == ["Hello"]
        assert outcome
        assert (outcome.message, outcome.recorded_seconds) == ("take-1", 3.0)
        assert programme.ledger.outcome("Voicemail") == "mailbox 1001: a message was left"

    def test_the_calls_own_reason(self, programme: Programme) -> None:
        """reason: by default why the call was diverted."""
        programme.facts = replace(programme.facts, reason="unconditional")
        programme.call('<Voicemail mailbox="1001"/>')
        assert programme.left == [("1001", "unconditional")]

    def test_the_scripts_own_mailbox(self, programme: Programme) -> None:
        """mailbox: by default the one whose greeting the URL stands for."""
        programme.site.serve("/voice", "<Voicemail/>")
        programme.run(programme.dialled(), programme.mailboxes["1001"])
        assert programme.left == [("1001", "")]

    @pytest.mark.parametrize("given", ['mailbox="1999"', 'mailbox="nobody"', ""])
    def test_no_such_mailbox(self, programme: Programme, given: str) -> None:
        """The document fails with error 12200."""
        programme.call(f"<Voicemail {given}/>")
        assert programme.heard == ["<application_error en>", END]
        assert programme.ledger.states[-1].error_code == 12200

    def test_nobody_knows_mailboxes_now(self, programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
        """The mailbox whose URL it is answers itself: no message is lost."""
        boxes = programme.mailboxes

        class Away(dict[str, MailboxFacts]):
            def __contains__(self, _: object) -> bool:
                raise KeeperAway("away")

        programme.mailboxes = Away()
        programme.site.serve("/voice", '<Voicemail mailbox="1002"/>')
        programme.run(programme.dialled(), boxes["1001"])
        assert programme.left == [("1001", "")]


class TestVoicemailIsTheBuiltInOne:
    """The built-in voicemail is itself a document of one line."""

    @pytest.fixture
    def reception(self, programme: Programme, tmp_path: Path) -> Reception:
        desk = Desk(programme.prompts, None, Limits(5.0, 120.0), tmp_path, "en")  # type: ignore[arg-type]
        takes = Takes(tmp_path / "messages", TakeRules(0.2, 0.0), self.messages)
        return Reception(None, desk, takes, tmp_path, 0, "never")  # type: ignore[arg-type]

    messages = Committed()
    SAID: ClassVar[dict[str, Any]] = {"speech": speech(2.0), "after_speech": (POUND,)}

    def test_it_is_heard_and_kept_alike(
        self, programme: Programme, reception: Reception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alice = programme.mailboxes["1001"]
        built_in = programme.dialled(**self.SAID)
        outcome = reception.leave_message(built_in, alice)
        heard = programme.stream.played
        assert outcome.message == self.messages.saved[0]
        monkeypatch.setattr(programme, "_leave", reception.leave_message)
        programme.site.serve("/voice", "<Voicemail/>")
        programmed = programme.run(programme.dialled(**self.SAID), alice)
        assert programme.stream.played == heard
        assert programmed
        assert programmed.message == self.messages.saved[1]
        assert (programmed.ended_by, programmed.recorded_seconds) == (outcome.ended_by, outcome.recorded_seconds)
        assert programme.leg.hung_up

    def test_a_disk_without_room_takes_no_message(
        self, programme: Programme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """limits.free_disk_bytes counts here, too: the caller is told before the greeting."""
        desk = Desk(programme.prompts, None, Limits(5.0, 120.0), tmp_path, "en")  # type: ignore[arg-type]
        full = Reception(None, desk, None, tmp_path, 1 << 60, "never")  # type: ignore[arg-type]
        monkeypatch.setattr(programme, "_leave", full.leave_message)
        outcome = programme.call('<Say>Hello</Say><Voicemail mailbox="1001"/>')
        assert programme.heard[:2] == ["Hello", "<not_available en>"]
        assert outcome
        assert (outcome.ended_by, outcome.message) == ("spool error", "")
        assert programme.ledger.outcome("Voicemail") == "mailbox 1001: spool error"
        assert programme.ledger.statuses[-1] == "completed"


class TestMailbox:
    def test_an_owner_hears_messages(self, programme: Programme) -> None:
        """As *97 does."""
        programme.call("<Say>Hello</Say><Mailbox/><Say>never</Say>")
        assert programme.checked == 1
        assert programme.heard == ["Hello"]
        assert programme.ledger.outcome("Mailbox") == "checked"
        assert programme.ledger.statuses == ["ringing", "in-progress", "completed"]
