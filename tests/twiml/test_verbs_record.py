"""Record: what is recorded, who is told, and when nobody is.

The rules that are quoted are those of docs/twiml.md and of Twilio's pages, in our words.
"""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.calls.scripted import files
from tests.peers.speech import speech
from tests.support import until
from tests.twiml.programme import ACCOUNT, HUNG_UP, Asked, Programme
from tests.twiml.test_verbs_heard import END
from voice.errors import SpoolError
from voice.events import Digit, LimitReached, PlaybackDone, SilenceReached, ToneReached
from voice.twiml.recordings import RecordingTake

SPEECH = speech(2.0)
SAID: dict[str, Any] = {"speech": SPEECH, "after_speech": (Digit("#"),)}
NOTHING: dict[str, Any] = {"speech": b"", "after_speech": (SilenceReached(),)}


@pytest.fixture(autouse=True)
def then(programme: Programme) -> None:
    """Where the action leads to."""
    programme.site.serve("/next", "<Say>Thanks</Say>")
    programme.site.serve("/recording")


def no_room(*_: Any) -> Any:
    """A spool on a disk that is full."""
    raise SpoolError("the spool cannot be written: No space left on device")


def told(programme: Programme, count: int = 1) -> list[Asked]:
    """What the recordingStatusCallback was told."""
    until(lambda: len(programme.site.of("/recording")) >= count, 10, "the callback of the recording")
    return programme.site.of("/recording")


class TestRecord:
    def test_the_action_is_told(self, programme: Programme) -> None:
        """The action gets RecordingUrl, RecordingSid, RecordingDuration in seconds, and the key that ended it."""
        programme.call('<Record action="/next"/><Say>never</Say>', **SAID)
        (asked,) = programme.site.of("/next")
        assert re.fullmatch(r"RE[0-9a-f]{32}", asked["RecordingSid"])
        assert asked["RecordingUrl"] == (
            f"https://vm.example.com/2010-04-01/Accounts/{ACCOUNT.sid}/Recordings/{asked['RecordingSid']}"
        )
        assert (asked["RecordingDuration"], asked["Digits"], asked["CallStatus"]) == ("2", "#", "in-progress")
        assert programme.heard == ["<beep>", "Thanks", END]
        assert programme.ledger.outcome("Record").endswith("s recorded (ended by key)")

    def test_it_is_safe_and_known_before_the_action_is_asked(self, programme: Programme) -> None:
        """The URL answers before it is handed out."""
        saved: list[int] = []
        programme.site.serve("/later", meanwhile=lambda: saved.append(len(programme.committed.saved)))
        programme.call('<Record action="/later"/>', **SAID)
        assert saved == [1]
        assert files(programme.spool) == [".json", ".wav"]

    @pytest.mark.parametrize(
        ("event", "ended_by"), [(SilenceReached(), "silence"), (LimitReached(), "limit"), (ToneReached("busy"), "tone")]
    )
    def test_what_ends_it_otherwise(self, programme: Programme, event: Any, ended_by: str) -> None:
        """Silence, the longest duration and a tone of the network end it without a key."""
        programme.call('<Record action="/next"/>', speech=SPEECH, after_speech=(event,))
        assert programme.site.of("/next")[0]["Digits"] == ""
        assert f"ended by {ended_by}" in programme.ledger.outcome("Record")

    def test_a_hang_up_still_posts(self, programme: Programme) -> None:
        """Digits: hangup: the recording is kept and the action is told; its document is not run."""
        programme.call('<Record action="/next"/>', speech=SPEECH, after_speech=(HUNG_UP,))
        (asked,) = programme.site.of("/next")
        assert (asked["Digits"], asked["RecordingDuration"], asked["CallStatus"]) == ("hangup", "2", "completed")
        assert programme.heard == ["<beep>"]
        assert programme.ended_by == "caller hung up"
        assert programme.ledger.statuses[-1] == "completed"

    @pytest.mark.parametrize("status", [404, 500])
    def test_a_hang_up_whose_action_fails_is_told(self, programme: Programme, status: int) -> None:
        """The developer sees that the last request failed; the recording is kept."""
        programme.site.serve("/failing", status=status)
        programme.call('<Record action="/failing"/>', speech=SPEECH, after_speech=(HUNG_UP,))
        assert programme.ledger.states[-1].error_code == 11217
        assert any("The last request of the call failed" in line.what for line in programme.ledger.of("notice"))
        assert len(programme.committed.saved) == 1

    @pytest.mark.parametrize(
        "page", [{"status": 204}, {"body": b"OK", "kind": "text/plain"}, {"body": b"{}", "kind": "application/json"}]
    )
    def test_a_hang_up_whose_action_answers_no_document_is_no_failure(
        self, programme: Programme, page: dict[str, Any]
    ) -> None:
        """The answer is not looked at: whoever has nothing more to say may answer with nothing."""
        programme.site.serve("/saved", **{"body": b"", **page})
        programme.call('<Record action="/saved"/>', speech=SPEECH, after_speech=(HUNG_UP,))
        assert programme.site.of("/saved")[0]["Digits"] == "hangup"
        assert (programme.ledger.states[-1].error_code, programme.ledger.states[-1].error) == (0, "")
        assert programme.ledger.of("notice") == []
        assert programme.ledger.of("request")[-1].detail["status"] == page.get("status", 200)

    @pytest.mark.parametrize("trim", ["trim-silence", "do-not-trim"])
    def test_an_empty_recording_falls_through(self, programme: Programme, trim: str) -> None:
        """If nothing is recorded, the action is not asked, and the next verb runs."""
        programme.call(f'<Record action="/next" trim="{trim}"/><Say>Nothing</Say>', **NOTHING)
        assert programme.site.of("/next") == []
        assert programme.heard == ["<beep>", "Nothing", END]
        assert programme.ledger.outcome("Record").startswith("nothing was recorded")
        assert files(programme.spool) == []

    def test_silence_alone_is_nothing_where_it_is_trimmed(self, programme: Programme) -> None:
        """Record of no sound: an empty recording."""
        programme.call(
            '<Record action="/next"/><Say>Nothing</Say>', speech=b"\xff" * 16000, after_speech=(SilenceReached(),)
        )
        assert programme.heard == ["<beep>", "Nothing", END]

    def test_silence_alone_is_kept_where_it_is_not_trimmed(self, programme: Programme) -> None:
        """trim do-not-trim: what was recorded is kept as it is."""
        programme.call(
            '<Record action="/next" trim="do-not-trim"/>', speech=b"\xff" * 16000, after_speech=(SilenceReached(),)
        )
        assert programme.site.of("/next")[0]["RecordingDuration"] == "2"

    def test_a_hang_up_without_a_word_posts_nothing(self, programme: Programme) -> None:
        """An empty recording posts nothing, whatever ended it."""
        programme.call('<Record action="/next"/><Say>Nothing</Say>', speech=b"", after_speech=(HUNG_UP,))
        assert programme.site.of("/next") == []
        assert programme.ended_by == "caller hung up"

    def test_play_beep(self, programme: Programme) -> None:
        """playBeep false: no tone before it."""
        programme.call('<Record action="/next" playBeep="false"/>', **SAID)
        assert programme.heard == ["Thanks", END]

    def test_finish_on_key(self, programme: Programme) -> None:
        """finishOnKey: any of these keys, others do not end it."""
        programme.call(
            '<Record action="/next" finishOnKey="*0"/>', speech=SPEECH, after_speech=(Digit("5"), Digit("0"))
        )
        assert programme.site.of("/next")[0]["Digits"] == "0"

    def test_a_key_typed_before_the_tone_does_not_end_it(self, programme: Programme) -> None:
        """What was typed ahead is for a question, not for a recording."""
        programme.call('<Record action="/next"/>', keys="1", on_play={1: (Digit("2"), PlaybackDone(1))}, **SAID)
        assert programme.site.of("/next")[0]["Digits"] == "#"

    def test_timeout_and_max_length(self, programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
        """timeout: seconds of silence, 0 for none; maxLength: seconds in all."""
        asked: list[tuple[Any, Any]] = []
        call = programme.dialled(**SAID)
        begin = call.start_recording
        monkeypatch.setattr(call, "start_recording", lambda path, *limits: asked.append(limits) or begin(path, *limits))
        programme.site.serve("/voice", '<Record action="/again" timeout="0" maxLength="30"/>')
        programme.site.serve("/again", '<Record action="/next" timeout="7"/>')
        programme.run(call)
        assert asked == [(None, 30), (7, 3600)]

    def test_without_an_action_the_document_is_asked_again(self, programme: Programme) -> None:
        """action: by default the current document."""
        programme.site.serve("/voice", "<Record/>")
        programme.site.serve("/voice", "<Hangup/>")
        programme.call(**SAID)
        assert programme.site.of("/voice")[1]["Digits"] == "#"

    def test_recording_status_callback(self, programme: Programme) -> None:
        """By default it is told of the completed recording, and of nothing else; nobody waits for it."""
        programme.call('<Record action="/next" recordingStatusCallback="/recording"/>', **SAID)
        (asked,) = told(programme)
        sid = asked["RecordingSid"]
        assert asked.form == {
            "AccountSid": ACCOUNT.sid,
            "CallSid": programme.ledger.states[0].sid,
            "RecordingSid": sid,
            "RecordingUrl": f"https://vm.example.com/2010-04-01/Accounts/{ACCOUNT.sid}/Recordings/{sid}",
            "RecordingStatus": "completed",
            "RecordingDuration": "2",
            "RecordingChannels": "1",
            "RecordingStartTime": asked["RecordingStartTime"],
            "RecordingSource": "RecordVerb",
        }
        assert parsedate_to_datetime(asked["RecordingStartTime"]).tzinfo is not None

    def test_recording_status_callback_event(self, programme: Programme) -> None:
        """in-progress at its start, completed at its end, absent where nothing was recorded."""
        verb = (
            '<Record action="/next" recordingStatusCallback="/recording" recordingStatusCallbackMethod="GET" '
            'recordingStatusCallbackEvent="in-progress completed absent"/>'
        )
        programme.call(verb, **SAID)
        first = told(programme, 2)
        assert {asked.method for asked in first} == {"GET"}
        assert {asked["RecordingStatus"] for asked in first} == {"in-progress", "completed"}
        programme.call(verb, **NOTHING)
        until(lambda: len(programme.site.of("/recording")) == 4, 10, "two more callbacks")
        assert {asked["RecordingStatus"] for asked in programme.site.of("/recording")[2:]} == {"in-progress", "absent"}

    def test_a_callback_that_is_no_url_costs_nothing(self, programme: Programme) -> None:
        """The recording is kept and the action is asked; the developer sees why nobody was called back."""
        programme.call('<Record action="/next" recordingStatusCallback="http://[::1/"/>', **SAID)
        assert programme.site.of("/next")[0]["RecordingDuration"] == "2"
        (notice,) = programme.ledger.of("notice")
        assert notice.what.startswith("recordingStatusCallback: ")

    def test_a_hang_up_in_the_tone_leaves_nothing(self, programme: Programme) -> None:
        """Who hangs up before the recording begins has recorded nothing."""
        programme.call('<Record action="/next"/>', on_play={1: (HUNG_UP,)})
        assert files(programme.spool) == []
        assert programme.ledger.outcome("Record") == "caller hung up"

    def test_a_spool_that_cannot_be_written_ends_with_an_apology(
        self, programme: Programme, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The caller is not left in silence, and the trace says why."""
        monkeypatch.setattr(programme.recordings, "begin", no_room)
        programme.call('<Record action="/next"/>')
        assert programme.heard == ["<application_error en>", END]
        assert "No space left" in programme.ledger.states[-1].error
        assert programme.ledger.states[-1].error_code == 12400

    def test_a_spool_that_cannot_be_written_goes_to_the_fallback(
        self, programme: Programme, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Where there is one, its document goes on; the log says why as well."""
        monkeypatch.setattr(programme.recordings, "begin", no_room)
        programme.script = replace(programme.script, fallback_url=f"{programme.site.base}/fallback")
        programme.site.serve("/fallback", "<Say>Fallback</Say>")
        programme.call('<Record action="/next"/>')
        (asked,) = programme.site.of("/fallback")
        assert (asked["ErrorCode"], asked["ErrorUrl"]) == ("12400", f"{programme.site.base}/voice")
        assert programme.heard == ["Fallback", END]
        assert programme.ledger.states[-1].error_code == 12400
        assert "No space left" in caplog.text

    def test_a_fallback_that_records_as_well_ends_with_an_apology(
        self, programme: Programme, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What fails the same way is asked once."""
        monkeypatch.setattr(programme.recordings, "begin", no_room)
        programme.script = replace(programme.script, fallback_url=f"{programme.site.base}/fallback")
        programme.site.serve("/fallback", "<Record/>")
        programme.call("<Record/>")
        assert len(programme.site.of("/fallback")) == 1
        assert programme.heard == ["<application_error en>", END]

    def test_who_has_hung_up_hears_no_fallback(self, programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
        """A recording that cannot be kept when the caller has gone: nobody is asked what to say to him."""

        def finish(*_: Any) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(RecordingTake, "finish", finish)
        programme.script = replace(programme.script, fallback_url=f"{programme.site.base}/fallback")
        programme.call("<Record/>", speech=SPEECH, after_speech=(HUNG_UP,))
        assert not any("The fallback URL is asked." in line.what for line in programme.ledger.of("notice"))
        assert programme.ended_by == "caller hung up"
        assert programme.ledger.states[-1].error_code == 12400
