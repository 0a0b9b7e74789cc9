"""What Twilio's own library writes becomes the verbs that it means."""

from __future__ import annotations

from typing import Any

import pytest
from twilio.twiml.voice_response import Gather, Record, Say, VoiceResponse

from tests.twiml.documents import only, read
from voice.twiml.document import Step
from voice.twiml.table import NAMESPACE, NOT_YET, VERBS


def step_of(verb: str, *arguments: str, **attributes: Any) -> Step:
    response = VoiceResponse()
    getattr(response, verb)(*arguments, **attributes)
    return only(response)


class TestVoiceResponse:
    def test_play(self) -> None:
        step = step_of("play", "https://api.twilio.com/cowbell.mp3", loop=10, digits="wwww3")
        assert step.name == "Play"
        assert step.text == "https://api.twilio.com/cowbell.mp3"
        assert step.attributes == {"loop": 10, "digits": "wwww3"}

    def test_say(self) -> None:
        step = step_of("say", "Bonjour <là> & « ici »", voice="alice", language="fr-FR", loop=2)
        assert step.text == "Bonjour <là> & « ici »"
        assert step.attributes == {"voice": "alice", "language": "fr-FR", "loop": 2}

    def test_pause(self) -> None:
        assert step_of("pause", length=10).attributes == {"length": 10}

    def test_record(self) -> None:
        step = step_of(
            "record", action="/done", method="GET", timeout=3, finish_on_key="*", max_length=20, play_beep=False,
            trim="do-not-trim", recording_status_callback="/status", recording_status_callback_method="GET",
            recording_status_callback_event="in-progress completed absent", transcribe=False,
        )  # fmt: skip
        assert step.attributes == {
            "action": "/done",
            "method": "GET",
            "timeout": 3,
            "finishOnKey": "*",
            "maxLength": 20,
            "playBeep": False,
            "trim": "do-not-trim",
            "recordingStatusCallback": "/status",
            "recordingStatusCallbackMethod": "GET",
            "recordingStatusCallbackEvent": ("in-progress", "completed", "absent"),
        }

    def test_gather(self) -> None:
        response = VoiceResponse()
        gather = Gather(
            input="dtmf", action="/key?a=1&b=2", method="GET", timeout=3, finish_on_key="", num_digits=1,
            action_on_empty_result=True,
        )  # fmt: skip
        gather.say("Press one.", language="en-GB")
        gather.pause(length=2)
        gather.play("/menu.mp3", loop=0)
        response.append(gather)
        step = only(response)
        assert step.attributes == {
            "input": "dtmf",
            "action": "/key?a=1&b=2",
            "method": "GET",
            "timeout": 3,
            "finishOnKey": "",
            "numDigits": 1,
            "actionOnEmptyResult": True,
        }
        assert [(child.name, child.text) for child in step.children] == [
            ("Say", "Press one."), ("Pause", ""), ("Play", "/menu.mp3"),
        ]  # fmt: skip

    def test_redirect(self) -> None:
        step = step_of("redirect", "../next?a=%20&b=ü", method="GET")
        assert (step.text, step.attributes) == ("../next?a=%20&b=ü", {"method": "GET"})

    def test_reject(self) -> None:
        assert step_of("reject", reason="busy").attributes == {"reason": "busy"}

    def test_hangup(self) -> None:
        assert step_of("hangup").attributes == {}

    def test_all_in_their_order(self) -> None:
        response = VoiceResponse()
        response.say("Hello")
        response.pause()
        response.append(Record())
        response.redirect("/again")
        assert [step.name for step in read(response, strict=True).steps] == ["Say", "Pause", "Record", "Redirect"]

    def test_nothing(self) -> None:
        assert read(VoiceResponse(), strict=True).steps == ()

    def test_say_with_markup(self) -> None:
        response = VoiceResponse()
        say = Say("Hi")
        say.break_(strength="x-weak", time="100ms")
        say.emphasis("Words to emphasise", level="strong")
        say.p("Words to speak")
        say.sub("W3C", alias="World Wide Web Consortium")
        response.append(say)
        document = read(response)
        assert document.steps[0].text == "Hi Words to emphasise Words to speak World Wide Web Consortium"

    def test_comments(self) -> None:
        response = VoiceResponse()
        response.hangup()
        assert only(str(response).replace("<Hangup", "<!-- the end --><Hangup")).name == "Hangup"


class TestOurVerbs:
    """add_child() is how the library writes what it does not know."""

    def test_voicemail(self) -> None:
        response = VoiceResponse()
        response.add_child("Voicemail", xmlns=NAMESPACE, mailbox="1001", reason="busy")
        assert only(response).attributes == {"mailbox": "1001", "reason": "busy"}

    def test_mailbox(self) -> None:
        response = VoiceResponse()
        response.add_child("Mailbox")
        assert only(response).name == "Mailbox"


def test_each_verb_of_the_library_is_in_the_table() -> None:
    """As one that runs, or as one that does not yet."""
    methods = {name for name in vars(VoiceResponse) if not name.startswith("_")}
    known = {name.lower() for name, verb in VERBS.items() if verb.page} | {name.lower() for name in NOT_YET}
    assert methods - known == set()


@pytest.mark.parametrize("name", ["dial", "enqueue", "connect", "start", "refer", "pay", "leave"])
def test_what_is_not_there_yet_does_not_stop_the_rest(name: str) -> None:
    response = VoiceResponse()
    getattr(response, name)()
    response.say("Goodbye")
    document = read(response)
    assert [step.name for step in document.steps] == ["Say"]
    assert [notice.code for notice in document.notices] == [13750]
